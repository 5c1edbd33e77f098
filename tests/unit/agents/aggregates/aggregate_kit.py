"""A partition with aggregates and no broker: what the kernel folds, and the topics that its flushes would fill."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Annotated, Any, Final, TypeAlias

import fastavro

from agents.aggregates import PartitionAggregates
from agents.aggregates.records import Origin
from agents.kernel import Flush, PartitionFold
from app.aggregates import Aggregate, Amount, Declared, Text, Trades, declared
from app.aggregates.schema import avro_schema
from app.amounts import divided
from tests.unit.agents.kernel.bar_oracle import EXACT, Rules
from tests.unit.agents.kernel.partition_kit import EPOCH, Partition, compacted, fold_config

Json: TypeAlias = Any
FIRST_SCHEMA_ID: Final = 40


@dataclass(frozen=True)
class Vwap(Aggregate):
    """VWAP by its own sums."""

    name = "vwap"
    notional: Annotated[int, Amount("Sum of price times size.", precision=76, scale=36)] = 0
    volume: Annotated[int, Amount("Sum of sizes.")] = 0
    vwap: Annotated[int | None, Amount("Quotient.")] = None

    def fold(self, trades: Trades) -> "Vwap":
        return self._plus(sum(p * s for p, s in zip(trades.prices, trades.volumes, strict=True)), sum(trades.volumes))

    def merge(self, later: "Vwap") -> "Vwap":
        return self._plus(later.notional, later.volume)

    def _plus(self, notional: int, volume: int) -> "Vwap":
        notional, volume = self.notional + notional, self.volume + volume
        return Vwap(notional, volume, divided(notional, volume) if volume else None)


@dataclass(frozen=True)
class Path(Aggregate):
    """Every trade that it was given, in order of base windows: whoever loses, doubles or swaps one is found out."""

    name = "path"
    offsets: Annotated[str, Text("Offsets and ids.")] = ""

    def fold(self, trades: Trades) -> "Path":
        rows = zip(trades.offsets, trades.trade_ids, trades.event_times_ns, strict=True)
        return Path(self.offsets + "".join(f"{offset}={trade_id}@{time_ns};" for offset, trade_id, time_ns in rows))

    def merge(self, later: "Path") -> "Path":
        return Path(self.offsets + later.offsets)


VWAP: Final = declared(Vwap)
PATH: Final = declared(Path)


class AggregatePartition(Partition):
    """A partition whose flushes, restores and crashes take aggregates along; `records` has what they put out."""

    def __init__(self, rules: Rules, of: Sequence[Declared] = (VWAP, PATH)) -> None:
        super().__init__(rules)
        self.of = of
        self.state: list[tuple[bytes, bytes | None]] = []
        self.records: dict[str, list[tuple[bytes, bytes]]] = {each.topic: [] for each in of}
        self._aggregates = self._new_aggregates()
        self._aggregates.restored(0, self._fold.has_bar)

    def _new_fold(self) -> PartitionFold:
        fold = super()._new_fold()
        fold.hand_out_trades()
        return fold

    def _new_aggregates(self) -> PartitionAggregates:
        ids = {each.record: FIRST_SCHEMA_ID + place for place, each in enumerate(self.of)}
        return PartitionAggregates(self.of, fold_config(self._rules), ids, Origin(EPOCH, 2, 3))

    def fold(self, record_set: bytes, *, is_history_gone: bool = False) -> Counter[str]:
        counts = super().fold(record_set, is_history_gone=is_history_gone)
        self._aggregates.take(self._fold.take_accepted())
        return counts

    def flush(self) -> Flush:
        flush = super().flush()
        if not flush.is_empty:
            output = self._aggregates.flush(flush)
            self.state += output.changelog
            for topic, records in output.records.items():
                self.records.setdefault(topic, []).extend(records)
        return flush

    def crash_and_restore(self, *, is_compacted: bool) -> None:
        super().crash_and_restore(is_compacted=is_compacted)
        self._aggregates = self._new_aggregates()
        for key, value in compacted(self.state) if is_compacted else self.state:
            self._aggregates.restore(key, value)
        self._aggregates.restored(self.next_offset, self._fold.has_bar)

    @property
    def rules(self) -> Rules:
        return self._rules

    def has_bar(self, venue: str, instrument: str, level: int, start_ns: int) -> bool:
        return self._fold.has_bar(venue, instrument, level, start_ns)

    def windows(self, of: Declared) -> list[tuple[bytes, Json]]:
        """Key and fields of every record of an aggregate, in their order."""
        return [(key, read(of, value)) for key, value in self.records[of.topic]]


def read(of: Declared, value: bytes) -> Json:
    """The fields of a record, by fastavro alone; amounts are Decimals."""
    body = BytesIO(value[5:])
    fields = fastavro.schemaless_reader(body, fastavro.parse_schema(avro_schema(of)), None)
    assert body.read() == b""
    return fields


def exact(amounts: Iterable[Decimal]) -> Decimal:
    """A sum with all its digits."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
