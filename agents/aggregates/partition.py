"""All aggregates of one partition: what a worker restores, folds and flushes beside the kernel's bars."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.aggregates import changelog
from agents.aggregates.aggregate_fold import AggregateFold, HasBar
from agents.aggregates.changelog import Birth, Kind, Place, Progress, StateRecord
from agents.aggregates.records import Origin, Published, RecordWriter
from agents.kernel import Flush, FoldConfig
from app.aggregates import Declared, Trades


@dataclass
class AggregateOutput:
    """What a flush writes of the aggregates, in the bars' own transaction; `records` are by topic without namespace."""

    records: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    changelog: list[StateRecord] = field(default_factory=list)


class PartitionAggregates:
    """Folds what the kernel hands out. Every method that calls users' code raises AggregateFailed."""

    def __init__(
        self,
        aggregates: Sequence[Declared],
        config: FoldConfig,
        schema_ids: Mapping[str, int],
        origin: Origin,
    ) -> None:
        self._origin = origin
        self._folds = [
            AggregateFold(each, config, RecordWriter(each, schema_ids[each.record], origin)) for each in aggregates
        ]
        self._restored: dict[bytes, bytes] = {}
        self._forgotten: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self._folds)

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take a record of the changelog, in its order."""
        if value is None:
            self._restored.pop(key, None)
        else:
            self._restored[key] = value

    def restored(self, next_offset: int, has_bar: HasBar) -> None:
        """End the restore; the kernel, which has these bars, goes on from this offset.

        State that has not come as far, since a worker ran without aggregates, is dropped: each aggregate begins anew
        there. So does one that is new or declared differently; one that is declared no more is forgotten.

        Raises:
            UnknownState: a record is not of this version.
            AggregateFailed: an aggregate cannot be made of its state.
        """
        progress: Progress | None = None
        births: dict[str, Birth] = {}
        windows: dict[str, list[tuple[Place, list[Any]]]] = {}
        keys: dict[str, list[bytes]] = {}
        for key, data in self._restored.items():
            kind, parts = changelog.read_key(key)
            value = changelog.read_value(data)
            match kind:
                case Kind.PROGRESS:
                    progress = Progress(*value)
                    continue
                case Kind.BIRTH:
                    births[parts[0]] = Birth(*value)
                case Kind.WINDOW:
                    windows.setdefault(parts[0], []).append((Place(*parts), value))
            keys.setdefault(parts[0], []).append(key)
        self._restored.clear()
        is_current = progress == Progress(self._origin.epoch, self._origin.generation, next_offset)
        for fold in self._folds:
            birth = births.get(fold.declared.name)
            if is_current and birth is not None and birth.signature == fold.signature:
                fold.go_on(birth, windows.get(fold.declared.name, ()), has_bar)
                del keys[fold.declared.name]
            else:
                fold.begin(next_offset)
        self._forgotten = [key for of_one in keys.values() for key in of_one]

    def take(self, batches: Iterable[Trades]) -> None:
        """Fold accepted trades."""
        for trades in batches:
            for fold in self._folds:
                fold.take(trades)

    def flush(self, flush: Flush) -> AggregateOutput:
        """What changed since the last flush, with the windows of the bars that the kernel's flush publishes."""
        bars = [Published(*bar) for bar in flush.published]
        evicted = flush.evicted
        output = AggregateOutput(changelog=[(key, None) for key in self._forgotten])
        self._forgotten = []
        for fold in self._folds:
            output.records[fold.declared.topic] = list(fold.records(bars))
            output.changelog += fold.state(evicted)
        progress = Progress(self._origin.epoch, self._origin.generation, flush.next_offset)
        output.changelog.append((changelog.key(Kind.PROGRESS), changelog.value(*progress)))
        return output
