"""Recordings of real exchanges, played back: frames as they were, at their own pace, faster, or as fast as they go."""

import asyncio
import heapq
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from app.units import SECOND_NS
from replay.compressed import BadRecording, opened, read_lines
from replay.trade import SimulatedTrade

_SIDES: Final = {"b": "buy", "s": "sell"}
_NS_PLACES: Final = 9
_STREAM_FIRST: Final = re.compile(r'\{"stream":"([^"\\]+)"')
_OF_CLIENT: Final = re.compile(rb"(wss?|https?)://\S+ (<->|<-|->) |configuration: ")
"""It opened a connection, sent, got an answer by REST, or begins."""


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """A frame as the venue sent it, and when it was received.

    `stream` is empty for what no stream carried: answers to a client's requests, the order book's REST snapshot that
    recorders keep among the frames.
    """

    receive_time_ns: int
    stream: str
    text: str


def combined_stream(frame: str) -> str:
    """The stream that a frame of a combined stream names.

    It comes first, so that the depth behind it need not be parsed. Raises ValueError or AttributeError where the frame
    is no JSON object.
    """
    named = _STREAM_FIRST.match(frame)
    return named[1] if named else str(json.loads(frame).get("stream", ""))


def fields_of(frame: str) -> dict[str, Any]:
    """The fields of a frame, none where it is no JSON object."""
    try:
        fields = json.loads(frame)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def read_frames(path: Path, stream_of: Callable[[str], str] = combined_stream) -> Iterator[RecordedFrame]:
    """The frames of a `*.frames` or a `*.session`; `stream_of` tells the stream of each.

    A line of the former has the receive time in ns and the frame. The latter is what cryptofeed keeps
    (`AsyncFileCallback` of its `raw_data_collection.py`): seconds, a colon and the frame, and among them lines of what
    the client did, which are passed over, as blank lines are.

    It may be compressed by gzip. A recorder that was killed leaves a file without its end, or with a bad one, and maybe
    half a line: it is read as far as it is whole.

    Raises:
        BadRecording: the file is missing or a line is no frame.
    """
    with opened(path) as file:
        for number, line in enumerate(read_lines(file), 1):
            if not line.strip() or _OF_CLIENT.match(line):
                continue
            try:
                frame = _frame(line.decode(), stream_of)
            except (ValueError, ArithmeticError, AttributeError) as error:
                kinds = "`RECEIVE_NS FRAME` or `SECONDS: FRAME`"
                raise BadRecording(f"{path} line {number} is no {kinds} of the venue") from error
            yield frame


def _frame(line: str, stream_of: Callable[[str], str]) -> RecordedFrame:
    received, _, text = line.partition(" ")
    receive_time_ns = _in_ns(received[:-1]) if received.endswith(":") else int(received)
    return RecordedFrame(receive_time_ns, stream_of(text), text)


def _in_ns(seconds: Decimal | str) -> int:
    return int(Decimal(seconds).scaleb(_NS_PLACES))


def read_kraken_trades(path: Path, instrument: str) -> list[SimulatedTrade]:
    """The trades of an answer of Kraken's REST `Trades`, times to the nanosecond as its decimals say.

    Raises:
        BadRecording: the file is missing or is no such answer.
    """
    try:
        answer = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        pair = next(name for name in answer["result"] if name != "last")
        return [
            SimulatedTrade(
                instrument,
                trade_id,
                price,
                size,
                "buy" if _SIDES[side] == "buy" else "sell",
                _in_ns(seconds),
            )
            for price, size, seconds, side, _kind, _misc, trade_id in answer["result"][pair]
        ]
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise BadRecording(f"{path} is no answer of Kraken's REST Trades: {error!r}") from error


class Pace:
    """Waits so that recorded times pass `speed` times as fast as they did; no speed means as fast as it goes."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._first_ns: int | None = None
        self._began_s = 0.0

    async def until(self, recorded_ns: int) -> None:
        """Wait until this recorded time has come."""
        if self._speed is None:
            return
        if self._first_ns is None:
            self._first_ns, self._began_s = recorded_ns, time.monotonic()
        wait_s = self._began_s + (recorded_ns - self._first_ns) / SECOND_NS / self._speed - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)


class FrameRecording:
    """Recordings of frames as one source of an exchange, in the order of their receive times.

    Raises BadRecording for a file that does not begin with a frame of the venue, and where no file has any.
    """

    def __init__(
        self, paths: Sequence[Path], speed: float | None, stream_of: Callable[[str], str] = combined_stream
    ) -> None:
        first_frames = [next(read_frames(path, stream_of), None) for path in paths]
        if not any(first_frames):
            raise BadRecording(f"{', '.join(map(str, paths))}: no frame")
        self._paths = paths
        self._speed = speed
        self._stream_of = stream_of

    async def __aiter__(self) -> AsyncIterator[RecordedFrame]:
        """The frames, each when its time has come."""
        pace = Pace(self._speed)
        files = [read_frames(path, self._stream_of) for path in self._paths]
        for frame in heapq.merge(*files, key=attrgetter("receive_time_ns")):
            await pace.until(frame.receive_time_ns)
            yield frame


class TradeRecording:
    """A list of recorded trades as a source of an exchange."""

    def __init__(self, trades: list[SimulatedTrade], speed: float | None) -> None:
        self._trades = trades
        self._speed = speed

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade]:
        """The trades, each when its time has come."""
        pace = Pace(self._speed)
        for trade in self._trades:
            await pace.until(trade.event_time_ns)
            yield trade
