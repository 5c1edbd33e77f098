"""A log and the state that a release had made of its first part, kept to be read by all later ones.

`python -m tests.golden.kept_state` writes `state_v<version>.json` for a new version of the changelog's format; files of
earlier versions stay as they are.
"""

import base64
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from tests.unit.agents.kernel.bar_oracle import Clock, Event, Rules, Trade
from tests.unit.agents.kernel.partition_kit import NOON, SECOND, Partition, records_in, records_of
from tests.unit.agents.kernel.record_sets import LZ4, KafkaRecord, record_batch

FOLDER: Final = Path(__file__).parent
RECORDS: Final = 240
FOLDED: Final = 170
EACH_FLUSH: Final = 23
RULES: Final = Rules(
    (("1s", SECOND), ("5s", 5 * SECOND), ("1m", 60 * SECOND), ("5m", 300 * SECOND)),
    out_of_order_ns=SECOND,
    grace_ns=SECOND,
    horizon_ns=90 * SECOND,
    max_ahead_ns=SECOND,
)


@dataclass(frozen=True)
class KeptState:
    """The records of a log, and the changelog's record sets after the first `folded` of them."""

    events: list[Event]
    folded: int
    state: list[bytes]

    @classmethod
    def read(cls, path: Path) -> "KeptState":
        """Read a file that `write` wrote."""
        kept = json.loads(path.read_text())
        state = [base64.b64decode(record_set) for record_set in kept["state"]]
        return cls([_event(fields) for fields in kept["log"]], kept["folded"], state)

    def write(self, path: Path) -> None:
        """Write it, a record a line."""
        log = [{"kind": type(event).__name__, **asdict(event)} for event in self.events]
        state = [base64.b64encode(record_set).decode() for record_set in self.state]
        path.write_text(f'{{"folded": {self.folded},\n"log": {_lines(log)},\n"state": {_lines(state)}}}\n')


def make(seed: int) -> KeptState:
    """A seeded log, folded up to a place by the kernel of today: late and repeated trades, numbered ids and others."""
    events = _events(random.Random(seed))  # noqa: S311 - no secret
    partition = Partition(RULES)
    state: list[bytes] = []
    offset = 0
    for first in range(0, FOLDED, EACH_FLUSH):
        partition.fold(record_batch(first, records_of(events[first : min(first + EACH_FLUSH, FOLDED)])))
        records = [KafkaRecord(key, value) for key, value in records_in(partition.flush().changelog)]
        state.append(record_batch(offset, records, codec=LZ4))
        offset += len(records)
    return KeptState(events, FOLDED, state)


def _events(chance: random.Random) -> list[Event]:
    now_ns = NOON
    events: list[Event] = []
    for offset in range(RECORDS):
        now_ns += chance.choice([0, 1, SECOND // 3, SECOND, 4 * SECOND])
        trades = [event for event in events if isinstance(event, Trade)]
        if offset % 12 == 11:
            events.append(Clock(offset, "binance", now_ns - 2 * SECOND))
        elif trades and chance.random() < 0.15:
            events.append(Trade(**{**asdict(chance.choice(trades[-60:])), "offset": offset}))
        else:
            events.append(_trade(chance, offset, now_ns))
    return events


def _trade(chance: random.Random, offset: int, now_ns: int) -> Trade:
    instrument, numbered = chance.choice([("BTC-USDT", True), ("ETH-USDT", True), ("SOL-USDT", False)])
    event_time_ns = now_ns - chance.choice([0, 0, 0, SECOND, 20 * SECOND, 100 * SECOND])
    trade_id = str(1_000 + offset) if numbered else str(UUID(int=chance.getrandbits(128)))
    price, size = (Decimal(chance.randrange(1, 10**24)).scaleb(-18) for _ in range(2))
    trade_seq = offset if instrument == "ETH-USDT" else None
    times = (event_time_ns, event_time_ns)
    aggressor = chance.choice(["buy", "sell", "unknown"])
    return Trade(offset, "binance", instrument, trade_id, trade_seq, price, size, *times, aggressor=aggressor)


def _event(fields: dict[str, Any]) -> Event:
    kind = fields.pop("kind")
    if kind == "Clock":
        return Clock(**fields)
    return Trade(**{**fields, "price": Decimal(fields["price"]), "size": Decimal(fields["size"])})


def _lines(values: Sequence[Any]) -> str:
    lines = ",\n".join(json.dumps(value, default=str) for value in values)
    return f"[\n{lines}\n]"


if __name__ == "__main__":
    made = make(seed=20_261_123)
    version = Partition(RULES)  # the version of the format is the first byte of any value
    version.fold(record_batch(0, records_of(made.events[:1])))
    progress = records_in(version.flush().changelog)[-1][1] or b""
    made.write(FOLDER / f"state_v{progress[0]}.json")
