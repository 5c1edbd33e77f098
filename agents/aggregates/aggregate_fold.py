"""One aggregate on one partition: folds what the kernel hands out, and follows the kernel's bars through their life."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from agents.aggregates import changelog
from agents.aggregates.changelog import Birth, Kind, Place, StateRecord
from agents.aggregates.records import Published, RecordWriter
from agents.aggregates.user_code import call, logged, restored, values
from agents.aggregates.windows import InstrumentWindows
from agents.kernel import FoldConfig
from app.aggregates import Declared, Trades

HasBar = Callable[[str, str, int, int], bool]
"""Whether the kernel has a bar: by venue, instrument, level and start."""


class AggregateFold:
    """State and outputs of one aggregate. A window is published when its bar is, if all its trades were seen."""

    def __init__(self, declared: Declared, config: FoldConfig, writer: RecordWriter) -> None:
        self.declared = declared
        self.signature = _signature(declared)
        self._config = config
        self._writer = writer
        self._instruments: dict[tuple[str, str], InstrumentWindows] = {}
        self._dirty: dict[tuple[str, str, int, int], None] = {}
        self._gone: list[StateRecord] = []
        self._born = 0
        self._birth_is_logged = False

    def begin(self, offset: int) -> None:
        """See trades from this offset on, and nothing before: older windows are not published."""
        self._born = offset

    def go_on(self, birth: Birth, windows: Iterable[tuple[Place, list[Any]]], has_bar: HasBar) -> None:
        """Take the state of the changelog; raise AggregateFailed."""
        self._born, self._birth_is_logged = birth.offset, True
        for place, fields in windows:
            settled = restored(self.declared, fields)
            self._windows(place.venue, place.instrument).restore(place.interval, place.start_ns, settled)
        # What is due by a horizon or a disorder that was made shorter the kernel has let go of by now, unsaid.
        self._gone = list(self._let_go(self._without_bar(has_bar)))

    def take(self, trades: Trades) -> None:
        """Fold a batch; raise AggregateFailed."""
        self._windows(trades.venue, trades.instrument).fold(trades)
        self._dirty[trades.venue, trades.instrument, 0, trades.start_ns] = None

    def records(self, bars: Iterable[Published]) -> Iterator[tuple[bytes, bytes]]:
        """Records of the windows of these bars, in their order; raise AggregateFailed."""
        for bar in bars:
            windows = self._windows(bar.venue, bar.instrument)
            state = windows.value(bar.level, bar.start_ns)
            if state is None and bar.trade_count == 0:
                state = call(self.declared, "init", self.declared.type.init)  # every trade was cancelled
            if state is None or bar.first_offset < self._born:
                continue
            shown = values(self.declared, windows.told(bar.level, bar.start_ns), state)
            yield self._writer.record(bar, windows.levels[bar.level].name, shown)

    def state(self, evicted: Sequence[tuple[str, str, int, int]]) -> Iterator[StateRecord]:
        """What changed since the last call, for the changelog, once these windows were let go of."""
        gone = [*self._gone, *self._let_go(evicted)]
        self._gone = []
        if not self._birth_is_logged:
            self._birth_is_logged = True
            yield (
                changelog.key(Kind.BIRTH, self.declared.name),
                changelog.value(*Birth(self.signature, self._born)),
            )
        for venue, instrument, level, start_ns in self._dirty:
            windows = self._windows(venue, instrument)
            window = windows.at(level, start_ns)
            if window is None:
                continue  # let go of
            key = self._key(venue, instrument, level, start_ns)
            if window.settled is not None:
                yield key, logged(self.declared, windows.told(level, start_ns), window.settled)
            elif window.is_logged:
                yield key, None
            window.is_logged = window.settled is not None
        self._dirty.clear()
        yield from gone

    def _without_bar(self, has_bar: HasBar) -> list[tuple[str, str, int, int]]:
        return [
            (*whose, *place)
            for whose, windows in self._instruments.items()
            for place in windows.places()
            if not has_bar(*whose, *place)
        ]

    def _let_go(self, evicted: Sequence[tuple[str, str, int, int]]) -> Iterator[StateRecord]:
        """Finest first: a window is settled when its children go, before it goes itself."""
        for venue, instrument, level, start_ns in sorted(evicted, key=lambda place: place[2:]):
            windows = self._instruments.get((venue, instrument))
            if windows is None or windows.at(level, start_ns) is None:
                continue  # of before the aggregate began
            window, settled = windows.evict(level, start_ns)
            self._dirty.update(dict.fromkeys((venue, instrument, *place) for place in settled))
            if window.is_logged:
                yield self._key(venue, instrument, level, start_ns), None

    def _windows(self, venue: str, instrument: str) -> InstrumentWindows:
        found = self._instruments.get((venue, instrument))
        if found is None:
            levels = self._config.levels_of(venue, instrument)
            found = InstrumentWindows(self.declared, levels, f"{venue}:{instrument}")
            self._instruments[venue, instrument] = found
        return found

    def _key(self, venue: str, instrument: str, level: int, start_ns: int) -> bytes:
        interval = self._windows(venue, instrument).levels[level].name
        return changelog.key(Kind.WINDOW, *Place(self.declared.name, venue, instrument, interval, start_ns))


def _signature(declared: Declared) -> str:
    """Of two states with one signature the later can go on from the earlier; the kernel sees to it for the windows."""
    fields = [[field.name, type(field.kind).__name__, field.is_nullable] for field in declared.fields]
    scales = [getattr(field.kind, "scale", None) for field in declared.fields]
    return json.dumps([declared.version, fields, scales])
