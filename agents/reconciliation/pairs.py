"""Whether bars are what the venues themselves say: pairs of a bar and the venue's own candle of the same minute.

A pair that is equal is told at once. One that differs, or has one side alone, waits: a bar may be revised, and the two
come by different ways. Each minute is told once, whatever comes of it later.

What is not told at all: a candle of no volume that no bar stands beside, and the other way round. A candle without a
bar while no newer bar has come by the same way: then the fold is behind, or away. A bar without a candle unless the
same run of the bridge told earlier and later ones of the instrument: one run asks for every minute from its first on.
Where trades may lie across the ends of minutes, one that differs in what only a minute without a candle, or one with
trades missing, could explain. And minutes that are far behind an instrument's newest.

Times of minutes are their starts in ns; `now_s` is any clock that goes on.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from agents.reconciliation.cuts import EXPLAINED, Cut, Reach, cut
from agents.reconciliation.minutes import Bar, Candle, Pair, Why, difference
from app.units import MINUTE_NS
from app.venues import Candles

KEPT_MINUTES: Final = 240
"""Of an instrument behind its newest. With thousands of instruments a venue's limits make candles half an hour late."""


class Series(NamedTuple):
    """One instrument of one venue."""

    venue: str
    instrument: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is told of a minute: equal where there is no `why`."""

    series: Series
    start_ns: int
    why: Why | None
    bar: Bar | None
    candle: Candle | None


@dataclass(slots=True)
class _Tape:
    """What is known of one instrument; of what is told only that it is, unless its neighbours need it."""

    kind: Candles
    pairs: dict[int, Pair] = field(default_factory=dict)
    told: dict[int, Pair | None] = field(default_factory=dict)
    newest_ns: int = 0
    session: str = ""
    first_candle_ns: int = 0
    last_candle_ns: int = 0

    def begins(self, session: str, start_ns: int) -> None:
        if session != self.session:
            self.session, self.first_candle_ns, self.last_candle_ns = session, start_ns, start_ns
        self.last_candle_ns = max(self.last_candle_ns, start_ns)

    def lacks_candle(self, start_ns: int) -> bool:
        """Whether the venue was asked for the candle of this minute and did not have it."""
        return self.first_candle_ns <= start_ns < self.last_candle_ns

    def is_over(self, start_ns: int) -> bool:
        """Whether a minute is told, or too far behind to be."""
        return start_ns in self.told or start_ns <= self.newest_ns - KEPT_MINUTES * MINUTE_NS

    def moves_to(self, start_ns: int) -> None:
        """Forget what is too far behind, if this minute is the newest."""
        if start_ns <= self.newest_ns:
            return
        self.newest_ns = start_ns
        self.pairs = {at: pair for at, pair in self.pairs.items() if not self.is_over(at)}
        self.told = {at: pair for at, pair in self.told.items() if at > start_ns - KEPT_MINUTES * MINUTE_NS}

    def difference(self, start_ns: int) -> Why | None:
        """In what the two sides of a minute that is not told differ."""
        pair = self.pairs[start_ns]
        return difference(pair.bar, pair.candle, self.kind)

    def cut(self, why: Why, start_ns: int, folded_ns: int) -> Cut:
        """Whether trades across the ends of minutes are why."""
        may_be = self.kind is Candles.OF_FILLS and why in EXPLAINED
        reach = Reach(folded_ns, self.last_candle_ns)
        return cut(self.told | self.pairs, start_ns, reach) if may_be else Cut.NO

    def tell(self, start_ns: int) -> Pair:
        """A minute's sides, once nothing more is to be told of it."""
        pair = self.pairs.pop(start_ns)
        self.told[start_ns] = pair if self.kind is Candles.OF_FILLS else None
        return pair


class _Waiting(NamedTuple):
    """A pair that is to be looked at again."""

    at_s: float
    series: Series
    partition: int
    start_ns: int


class Reconciliation:
    """Compares bars with candles. Its memory is bounded by `KEPT_MINUTES` of each instrument."""

    def __init__(self, patience_s: float, kinds: Mapping[str, Candles]) -> None:
        """`patience_s` is how long a pair that is not equal waits; `kinds` are of each venue's candles, by its name."""
        self._patience_s = patience_s
        self._kinds = kinds
        self._tapes: dict[Series, _Tape] = {}
        self._waiting: deque[_Waiting] = deque()  # in the order of their times
        self._newest_bars_ns: dict[int, int] = {}  # by partition

    @property
    def waiting(self) -> int:
        """How many minutes have waited less than their time."""
        return len(self._waiting)

    def take_bar(self, series: Series, partition: int, start_ns: int, bar: Bar, now_s: float) -> Verdict | None:
        """Take a bar, or a revision of one; what is to be told of its minute now."""
        self._newest_bars_ns[partition] = max(self._newest_bars_ns.get(partition, 0), start_ns)
        tape = self._tape(series)
        if (pair := _pair(tape, start_ns)) is None:
            return None
        pair.bar = bar
        return self._look(series, partition, start_ns, now_s)

    def take_candle(
        self, series: Series, partition: int, start_ns: int, candle: Candle, now_s: float
    ) -> Verdict | None:
        """Take a candle; what is to be told of its minute now. Of one run of the bridge they come in order."""
        tape = self._tape(series)
        tape.begins(candle.session, start_ns)
        if (pair := _pair(tape, start_ns)) is not None:
            pair.candle = candle
        for earlier_ns, earlier in tape.pairs.items():
            if earlier.candle is None and tape.lacks_candle(earlier_ns):
                self._wait(series, partition, earlier_ns, earlier, now_s)
        return None if pair is None else self._look(series, partition, start_ns, now_s)

    def overdue(self, now_s: float) -> Iterator[Verdict]:
        """What is to be told of the minutes that have waited long enough, each looked at once."""
        for _ in range(len(self._waiting)):
            if self._waiting[0].at_s > now_s:
                return
            _, series, partition, start_ns = self._waiting.popleft()
            tape = self._tapes[series]
            pair = tape.pairs.get(start_ns)
            if pair is None:
                continue
            pair.waits = False
            why = tape.difference(start_ns)
            if why is None:
                continue
            folded_ns = self._newest_bars_ns.get(partition, 0)
            found = tape.cut(why, start_ns, folded_ns)
            if found is Cut.NOT_YET or (why is Why.NO_BAR and folded_ns <= start_ns):
                self._wait(series, partition, start_ns, pair, now_s)
            elif found is not Cut.UNKNOWN:
                yield self._tell(series, start_ns, Why.CUT if found is Cut.YES else why)

    def forget_waiting(self) -> None:
        """Drop all that is not told: it will be read again, by this process or another one."""
        self._waiting.clear()
        self._newest_bars_ns.clear()
        for tape in self._tapes.values():
            tape.pairs.clear()
            tape.session = ""

    def _tape(self, series: Series) -> _Tape:
        return self._tapes.setdefault(series, _Tape(self._kinds.get(series.venue, Candles.OF_TRADES)))

    def _look(self, series: Series, partition: int, start_ns: int, now_s: float) -> Verdict | None:
        tape = self._tapes[series]
        pair = tape.pairs[start_ns]
        why = tape.difference(start_ns)
        if why is None and pair.bar is not None and pair.candle is not None:
            return self._tell(series, start_ns, None)
        if why is not None and (why is not Why.NO_CANDLE or tape.lacks_candle(start_ns)):
            self._wait(series, partition, start_ns, pair, now_s)
        return None

    def _wait(self, series: Series, partition: int, start_ns: int, pair: Pair, now_s: float) -> None:
        if not pair.waits:
            pair.waits = True
            self._waiting.append(_Waiting(now_s + self._patience_s, series, partition, start_ns))

    def _tell(self, series: Series, start_ns: int, why: Why | None) -> Verdict:
        pair = self._tapes[series].tell(start_ns)
        return Verdict(series, start_ns, why, pair.bar, pair.candle)


def _pair(tape: _Tape, start_ns: int) -> Pair | None:
    """The pair of a minute; nothing when it is over."""
    tape.moves_to(start_ns)
    return None if tape.is_over(start_ns) else tape.pairs.setdefault(start_ns, Pair())
