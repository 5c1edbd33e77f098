"""Whatever trades come, wherever batches, flushes and crashes fall: the bars are those of the plain recomputation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.agents.kernel.bar_oracle import (
    Clock,
    Correction,
    Event,
    Published,
    Rules,
    Tape,
    Trade,
    Unreadable,
    Window,
)
from tests.unit.agents.kernel.partition_kit import NOON, SECOND, Partition, read_bar, read_live, records_of
from tests.unit.agents.kernel.record_sets import GZIP, LZ4, NONE, SNAPPY, ZSTD, record_batch

CODECS = [NONE, GZIP, SNAPPY, LZ4, ZSTD]
TREES = [
    (("1s", 1), ("5s", 5), ("1m", 60), ("5m", 300)),
    (("1s", 1), ("2s", 2), ("3s", 3), ("6s", 6), ("1m", 60)),  # 2s and 3s share their children
    (("1m", 60), ("1h", 3600)),
]
HOPPING = [
    (),
    (),
    (("3m/1m", 180, 60), ("1h/10m", 3600, 600)),
    (("5m/1m", 300, 60), ("2m/1m", 120, 60)),
]
bounded = settings(max_examples=200)


@dataclass(frozen=True)
class Step:
    """A cut behind some records: the batch's codec, and what happens then."""

    records: int
    codec: int
    then: str


steps = st.lists(
    st.builds(
        Step,
        st.integers(0, 12),
        st.sampled_from(CODECS),
        st.sampled_from(
            ["nothing", "flush", "flush", "flush_followed", "crash", "crash_compacted", "crash_taken_over"]
        ),
    ),
    max_size=12,
)


def _hours(*starts_and_ends_s: int) -> tuple[tuple[int, int], ...]:
    """Each time after noon, and in the time around 1970 that tapes may begin in."""
    edges = [begin + edge * SECOND for begin in (0, NOON) for edge in starts_and_ends_s]
    return tuple(zip(edges[::2], edges[1::2], strict=True))


HOURS = {"pre": _hours(-120, 0), "regular": _hours(0, 120, 180, 360), "day": _hours(-120, 120, 120, 420)}


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    tree = draw(st.sampled_from(TREES))
    hopping = draw(st.sampled_from(HOPPING))
    longest = tree[-1][0]  # a session's name that is an interval's takes its place
    calendar = draw(
        st.sampled_from(
            [
                {},
                {},
                {("binance", ""): HOURS},
                {("binance", ""): {longest: HOURS["day"]}, ("binance", "ETH-USDT"): {"regular": HOURS["regular"]}},
            ]
        )
    )
    return Rules(
        tuple((name, seconds * SECOND) for name, seconds in tree),
        out_of_order_ns=draw(st.sampled_from([0, SECOND // 2, 3 * SECOND])),
        grace_ns=draw(st.sampled_from([0, SECOND, 4 * SECOND])),
        horizon_ns=draw(st.sampled_from([0, 10 * SECOND, 70 * SECOND])),
        max_ahead_ns=SECOND,
        hopping=tuple((name, length * SECOND, hop * SECOND) for name, length, hop in hopping),
        sessions=calendar,
    )


amounts = st.integers(1, 10**22).map(lambda unscaled: Decimal(unscaled).scaleb(-18))
sizes = amounts | amounts | st.just(Decimal("9e19"))  # two of which overflow
aggressors = st.sampled_from(["buy", "sell", "unknown"])
instruments = st.sampled_from([("binance", "BTC-USDT"), ("binance", "ETH-USDT"), ("kraken", "BTC-USD")])
ids = st.integers(0, 30).map(str) | st.integers(0, 8).map(lambda number: str(UUID(int=number)))


@st.composite
def tapes(draw: st.DrawFn) -> list[Event]:
    """Records of up to three instruments whose time goes on in jumps, with trades out of order, repeated and bad.

    Where there are corrections no two trades share an id: they name a trade by it.
    """
    has_corrections = draw(st.booleans())
    kinds = ["trade"] * 8 + ["again", "clock", "unreadable"] + ["correct", "cancel"] * has_corrections
    begin_ns = draw(st.sampled_from([NOON, 0, -100 * SECOND]))
    now_ns = begin_ns
    events: list[Event] = []
    for offset in range(draw(st.integers(0, 35))):
        now_ns += draw(st.sampled_from([0, 1, SECOND // 4, SECOND, 7 * SECOND, 40 * SECOND]))
        kind = draw(st.sampled_from(kinds))
        venue, instrument = draw(instruments)
        earlier = [event for event in events if isinstance(event, Trade)]
        if kind == "clock":
            events.append(Clock(offset, venue, now_ns - draw(st.integers(-2, 5)) * SECOND))
        elif kind == "unreadable":
            events.append(Unreadable(offset))
        elif kind == "again" and earlier:
            same = _same(draw(st.sampled_from(earlier)), offset)
            events.append(replace(same, price=draw(st.sampled_from([same.price, Decimal("0.5")]))))
        elif kind in ("correct", "cancel"):
            events.append(draw(corrections(offset, kind, events, now_ns)))
        else:
            event_time_ns = now_ns - draw(st.integers(0, 9)) * draw(st.sampled_from([0, SECOND // 2, 10 * SECOND]))
            trade_seq = offset * 17 % 101 if instrument == "ETH-USDT" else None
            received_ns = event_time_ns - draw(st.sampled_from([0, 0, 0, 0, SECOND, 2 * SECOND]))
            price, size = draw(amounts), draw(sizes)
            trade_id = draw(st.sampled_from([str(offset), str(UUID(int=offset))]) if has_corrections else ids)
            trade = Trade(offset, venue, instrument, trade_id, trade_seq, price, size, event_time_ns, received_ns)
            events.append(replace(trade, aggressor=draw(aggressors)))
    return events


@st.composite
def corrections(draw: st.DrawFn, offset: int, kind: str, events: list[Event], now_ns: int) -> Event:
    """A correction of some trade of the tape, or of none; or one that came before, once more."""
    targets = [event for event in events if isinstance(event, Trade)] or [
        Trade(0, "binance", "BTC-USDT", "none", None, Decimal(1), Decimal(1), now_ns, now_ns)
    ]
    again = [event for event in events if isinstance(event, Correction)]
    is_again = draw(st.booleans())
    if again and is_again:
        last = draw(st.sampled_from(again))
        return replace(last, offset=offset, by=last.by and replace(last.by, offset=offset))
    target = draw(st.sampled_from(targets))
    refers_to = draw(st.sampled_from([target.trade_id] * 3 + ["c1", "c2", "999"]))
    if kind == "cancel":
        return Correction(offset, target.venue, target.instrument, refers_to, None, now_ns)
    moved_ns = target.event_time_ns + draw(st.sampled_from([0, 0, -1, 1, SECOND, -7 * SECOND, 70 * SECOND]))
    by = Trade(
        offset,
        target.venue,
        target.instrument,
        draw(st.sampled_from([target.trade_id, "c1", "c2"])),
        draw(st.sampled_from([target.trade_seq, None])),
        draw(amounts),
        draw(amounts),
        moved_ns,
        moved_ns,
        aggressor=draw(aggressors),
    )
    return Correction(offset, target.venue, target.instrument, refers_to, by, moved_ns)


def _same(trade: Trade, offset: int) -> Trade:
    return Trade(**{**trade.__dict__, "offset": offset})


@given(rules(), tapes())
@bounded
def test_every_publication_is_the_oracles_when_each_record_is_flushed(rules: Rules, events: list[Event]) -> None:
    partition = Partition(rules)
    tape = Tape(rules)
    for event in events:
        partition.fold(record_batch(event.offset, records_of([event])))
        partition.flush()
        tape.take(event)
        assert _by_window(_read(partition.bars)) == _by_window(tape.published)
    assert partition.late == tape.late
    assert partition.dead == tape.dead


@given(rules(), tapes(), steps)
@bounded
def test_cuts_flushes_and_crashes_change_no_bar(rules: Rules, events: list[Event], steps: list[Step]) -> None:
    partition = _run(Partition(rules), events, steps)
    tape = Tape(rules).take_all(events)
    last = dict(partition.bars)
    assert {bar.window: bar for bar in _read(list(last.items()))} == tape.last_published()
    assert partition.late == tape.late
    assert partition.dead == tape.dead

    undisturbed = _run(Partition(rules), events, [])
    assert last == dict(undisturbed.bars)
    assert partition.live_all() == undisturbed.live_all()


@given(rules(), tapes(), steps)
@bounded
def test_no_revision_is_published_twice_or_out_of_order(rules: Rules, events: list[Event], steps: list[Step]) -> None:
    partition = _run(Partition(rules), events, steps)
    for bars in _by_window(_read(partition.bars)).values():
        revisions = [bar.revision for bar in bars]
        assert revisions == sorted(set(revisions))
        assert [bar.seq for bar in bars] == sorted(bar.seq for bar in bars)


@given(rules(), tapes())
@bounded
def test_live_bars_are_the_forming_windows(rules: Rules, events: list[Event]) -> None:
    partition = _run(Partition(rules), events, [])
    tape = Tape(rules).take_all(events)
    live = {window: bar for value in partition.live_all().values() for window, bar in read_live(value).items()}
    assert live.keys() == tape.forming().keys()
    for window, bar in live.items():
        expected = tape.bar(window, max(tape.offsets(window)))
        assert {name: bar[name] for name in bar.keys() - {"interval", "start_ns"}} == {
            name: getattr(expected, name) for name in bar.keys() - {"interval", "start_ns"}
        }


@given(rules(), tapes())
@bounded
def test_each_record_is_counted_once_and_as_what_it_was(rules: Rules, events: list[Event]) -> None:
    assume(events)
    counts = Partition(rules).fold(record_batch(0, records_of(events)))
    tape = Tape(rules).take_all(events)
    assert counts == {
        "records": len(events),
        "trades": len(tape.accepted),
        "duplicates": len(tape.duplicates),
        "late": len(tape.late),
        "dead": len(tape.dead),
        "clocks": sum(isinstance(event, Clock) for event in events),
        "corrections": len(tape.corrected),
        "finals": sum(bar.revision == 0 for bar in tape.published),
        "revisions": sum(bar.revision > 0 for bar in tape.published),
    }


def _run(partition: Partition, events: Sequence[Event], steps: Sequence[Step]) -> Partition:
    """Feed all events in the given pieces, then what is left, and flush."""
    for step in [*steps, Step(len(events), NONE, "flush")]:
        first = partition.next_offset
        piece = events[first : first + step.records]
        if piece:
            partition.fold(record_batch(first, records_of(piece), codec=step.codec))
        if step.then.startswith("flush"):
            partition.flush()
            if step.then == "flush_followed":
                partition.follow()
        elif step.then == "crash_taken_over":
            partition.crash_and_take_over()
        elif step.then != "nothing":
            partition.crash_and_restore(is_compacted=step.then == "crash_compacted")
    return partition


def _read(bars: Sequence[tuple[bytes, bytes]]) -> list[Published]:
    return [read_bar(key, value) for key, value in bars]


def _by_window(bars: Sequence[Published]) -> dict[Window, list[Published]]:
    return {bar.window: [other for other in bars if other.window == bar.window] for bar in bars}
