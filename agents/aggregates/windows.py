"""The windows of one instrument: base windows hold what their trades fold to, coarser ones merge their children.

They live and die with the kernel's bars, which keep a window's children until no trade of it can come any more. So a
coarser window is merged anew, in order of time, when somebody asks after a change: `merge` need not be commutative.
What it comes to is kept for good, as `settled`, when the first of its children goes.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from agents.aggregates.user_code import call
from agents.kernel import Level
from app.aggregates import Aggregate, Declared, Trades


class Window:
    """`settled` is what is known of this window itself; `value` is that of its children, until one changes."""

    __slots__ = ("is_logged", "settled", "value")

    def __init__(self) -> None:
        self.settled: Aggregate | None = None
        self.value: Aggregate | None = None
        self.is_logged = False


class LevelWindows:
    """Windows of one interval by their start."""

    def __init__(self) -> None:
        self.by_start: dict[int, Window] = {}
        self._starts: list[int] = []

    def open(self, start_ns: int) -> Window:
        """The window that starts there, made when there is none."""
        window = self.by_start.get(start_ns)
        if window is None:
            window = self.by_start[start_ns] = Window()
            insort(self._starts, start_ns)
        return window

    def pop(self, start_ns: int) -> Window:
        """Take a window out."""
        del self._starts[bisect_left(self._starts, start_ns)]
        return self.by_start.pop(start_ns)

    def starts(self, from_ns: int, to_ns: int) -> list[int]:
        """Starts in [from_ns, to_ns), in order."""
        return self._starts[bisect_left(self._starts, from_ns) : bisect_left(self._starts, to_ns)]


class InstrumentWindows:
    """All windows of one instrument; a window's place is (level, start in ns)."""

    def __init__(self, declared: Declared, levels: Sequence[Level], instrument: str) -> None:
        self.levels = levels
        self._declared = declared
        self._instrument = instrument
        self._windows = [LevelWindows() for _ in levels]

    def fold(self, trades: Trades) -> None:
        """Fold trades into their base window; after a correction they are all that it has."""
        window = self._windows[0].open(trades.start_ns)
        for above in self._above(0, trades.start_ns):
            self._windows[above[0]].open(above[1]).value = None
        if trades.is_whole and len(trades) == 0:
            window.settled = None
            return
        before = None if trades.is_whole else window.settled
        if before is None:
            before = call(self._declared, "init", self._declared.type.init)
        window.settled = call(self._declared, f"fold of {self.told(0, trades.start_ns)}", before.fold, trades)

    def value(self, level: int, start_ns: int) -> Aggregate | None:
        """What a window shows; None for one that is not there or has seen no trade."""
        window = self.at(level, start_ns)
        if window is None:
            return None
        if window.settled is not None:
            return window.settled
        child = self.levels[level].child
        if window.value is None and child is not None:
            for start in self._windows[child].starts(start_ns, self.levels[level].end_ns(start_ns)):
                window.value = self._merge(window.value, self.value(child, start), level, start_ns)
        return window.value

    def evict(self, level: int, start_ns: int) -> tuple[Window, list[tuple[int, int]]]:
        """Take a window out of memory, and settle those above; it and the places of those. Finer windows go first."""
        settled = []
        for place in self._parents(level, start_ns):
            above = self.at(*place)
            if above is not None and above.settled is None:  # an overlapping one may have gone before its children
                above.settled = self.value(*place)
                settled.append(place)
        return self._windows[level].pop(start_ns), settled

    def at(self, level: int, start_ns: int) -> Window | None:
        """The window at a place."""
        return self._windows[level].by_start.get(start_ns)

    def restore(self, interval: str, start_ns: int, settled: Aggregate) -> None:
        """Put a window of the changelog in its place, and open those above."""
        level = next(place for place, each in enumerate(self.levels) if each.name == interval)
        window = self._windows[level].open(start_ns)
        window.settled, window.is_logged = settled, True
        for place, above_ns in self._above(level, start_ns):
            self._windows[place].open(above_ns)

    def places(self) -> Iterator[tuple[int, int]]:
        """The places of all windows."""
        for level, windows in enumerate(self._windows):
            for start_ns in windows.by_start:
                yield level, start_ns

    def told(self, level: int, start_ns: int) -> str:
        """A window in words."""
        return f"{self._instrument}, {self.levels[level].name} window {start_ns}"

    def _parents(self, level: int, start_ns: int) -> Iterator[tuple[int, int]]:
        for parent in self.levels[level].parents:
            for above_ns in self.levels[parent].starts_at(start_ns):
                yield parent, above_ns

    def _above(self, level: int, start_ns: int) -> Iterator[tuple[int, int]]:
        for parent in self._parents(level, start_ns):
            yield parent
            yield from self._above(*parent)

    def _merge(self, earlier: Aggregate | None, later: Aggregate | None, level: int, start_ns: int) -> Aggregate | None:
        if earlier is None or later is None:
            return earlier if later is None else later
        merged: Aggregate = call(self._declared, f"merge into {self.told(level, start_ns)}", earlier.merge, later)
        return merged
