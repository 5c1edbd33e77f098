"""Compression of large messages alone: of each update for each client it would cost more than it saves."""

from collections.abc import Sequence
from typing import Final

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.typing import ExtensionParameter

LARGE: Final = 16_384
"""Bytes from which a message is compressed: a full snapshot has 300,000, and 75,000 then; an update has 600."""
QUICKEST: Final = {"level": 1}


class _LargeAlone(PerMessageDeflate):
    """The extension as agreed with one client, whose messages begin anew each: nothing is kept between them."""

    def __init__(self, *, remote_max_window_bits: int, local_max_window_bits: int) -> None:
        super().__init__(
            remote_no_context_takeover=True,
            local_no_context_takeover=True,
            remote_max_window_bits=remote_max_window_bits,
            local_max_window_bits=local_max_window_bits,
            compress_settings=QUICKEST,
        )

    def encode(self, frame: Frame) -> Frame:
        """Compress what is large; a client tells by each message's first bits whether it is compressed."""
        return super().encode(frame) if len(frame.data) >= LARGE else frame


class LargeMessageDeflate(ServerPerMessageDeflateFactory):
    """Offers clients permessage-deflate, and uses it for large messages."""

    def __init__(self) -> None:
        super().__init__(server_no_context_takeover=True, client_no_context_takeover=True)

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        """What is answered to a client that knows the extension, and the extension for its connection."""
        answer, agreed = super().process_request_params(params, accepted_extensions)
        return answer, _LargeAlone(
            remote_max_window_bits=agreed.remote_max_window_bits, local_max_window_bits=agreed.local_max_window_bits
        )
