"""Takes the seeds of the fuzzers of packets: a simulated feed's own messages and packets, cut small.

`python -m tests.fuzz.take_packet_seeds` writes tests/fuzz/corpus/itch and …/moldudp64 anew, but for the inputs that
once failed (`failed-…`).
"""

import itertools
import random
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from replay.itch import BYTES
from replay.itch_market import ItchMarket
from replay.packet_feed import END_OF_SESSION, HEADER

CORPUS: Final = Path(__file__).with_name("corpus")
SEEDS: Final = 5
MESSAGES: Final = 60


def main() -> None:
    """Write the seeds."""
    for target in ("itch", "moldudp64"):
        for old in (CORPUS / target).glob("*"):
            if not old.name.startswith("failed-"):
                old.unlink()
    keep("itch", b"".join(bytes([length]) + kind.encode() + bytes(length - 1) for kind, length in BYTES.items()))
    for seed in range(SEEDS):
        messages = market(seed)
        keep("itch", b"".join(bytes([len(each)]) + each for each in messages))
        for has_server in (False, True):
            told = enumerate(packets(messages, seed))
            parts = [behind_length(each, seed, is_answer=has_server and number % 3 == 0) for number, each in told]
            keep("moldudp64", bytes([has_server]) + b"".join(parts))


def market(seed: int) -> list[bytes]:
    """The beginning of a day."""
    times = itertools.count(34_200_000_000_000, 1_000)
    day = ItchMarket(("AAPL", "BRK.B"), seed, lambda: next(times))
    return [told.message for told in itertools.chain(day.opening(), itertools.islice(day.messages(), MESSAGES))]


def packets(messages: list[bytes], seed: int) -> Iterator[bytes]:
    """The messages in packets, some of them lost, double or late, and heartbeats and packets of a session behind it."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    whole = list(in_packets(b"SESSION001", messages))
    yield from chance.sample(whole, len(whole)) if seed % 2 else [each for each in whole if chance.randrange(3)]
    yield whole[0]
    yield HEADER.pack(b"SESSION001", len(messages) + 1, END_OF_SESSION)
    yield from 2 * [HEADER.pack(b"SESSION002", 1, 0)]
    yield from in_packets(b"SESSION002", messages[:10])


def in_packets(session: bytes, messages: list[bytes]) -> Iterator[bytes]:
    """Seven messages a packet."""
    for first in range(0, len(messages), 7):
        yield HEADER.pack(session, first + 1, len(messages[first : first + 7])) + blocks(messages[first : first + 7])


def blocks(messages: Iterable[bytes]) -> bytes:
    """Messages behind their lengths."""
    return b"".join(len(each).to_bytes(2) + each for each in messages)


def behind_length(packet: bytes, milliseconds: int, *, is_answer: bool) -> bytes:
    """A packet as the target `moldudp64` takes it: of a line, or of the re-request server."""
    return len(packet).to_bytes(2) + bytes([milliseconds | is_answer << 7]) + packet


def keep(target: str, seed: bytes) -> None:
    """Write a seed under the name of its content."""
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    (CORPUS / target / sha256(seed).hexdigest()[:16]).write_bytes(seed)


if __name__ == "__main__":
    main()
