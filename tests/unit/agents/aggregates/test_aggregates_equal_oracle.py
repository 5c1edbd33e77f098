"""Users' aggregates over whatever trades, batches, flushes and crashes: those of every bar, from exactly its trades."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.aggregates.changelog import Kind, read_key
from tests.unit.agents.aggregates.aggregate_kit import PATH, VWAP, AggregatePartition
from tests.unit.agents.kernel.bar_oracle import EXACT, Event, Rules, Tape, Window
from tests.unit.agents.kernel.partition_kit import fold_config, read_bar, records_of
from tests.unit.agents.kernel.record_sets import NONE, record_batch
from tests.unit.agents.kernel.test_fold_equals_oracle import Step, rules, steps, tapes

bounded = settings(max_examples=120)
HALF_EVEN = Context(prec=200, rounding=ROUND_HALF_EVEN)
COME_BACK_LESS_PATIENT = "come_back_less_patient"
steps_and_others = st.tuples(
    steps, st.lists(st.builds(Step, st.integers(0, 12), st.just(NONE), st.just(COME_BACK_LESS_PATIENT)), max_size=3)
).flatmap(lambda both: st.permutations([*both[0], *both[1]]))
LIFE = ("state", "revision", "seq", "trade_count")


@given(rules(), tapes(), steps_and_others)
@bounded
def test_vwap_written_in_python_is_the_kernels_in_every_version_of_every_bar(
    rules: Rules, events: list[Event], steps: list[Step]
) -> None:
    partition = _run(AggregatePartition(rules), events, steps)
    published = [(key, fields) for key, fields in partition.windows(VWAP)]
    bars = [(key, read_bar(key, value)) for key, value in partition.bars]
    assert sorted(key for key, _ in published) == sorted(key for key, _ in bars)
    by_version = {(key, fields["seq"]): fields for key, fields in published}
    for key, bar in bars:
        fields = by_version[key, bar.seq]
        assert {name: fields[name] for name in LIFE} == {name: getattr(bar, name) for name in LIFE}
        assert (fields["notional"], fields["volume"]) == (bar.notional, bar.volume)
        average = bar.volume and HALF_EVEN.quantize(EXACT.divide(bar.notional, bar.volume), Decimal(1).scaleb(-18))
        assert fields["vwap"] == (average or None)


@given(rules(), tapes(), steps)
@bounded
def test_each_window_is_of_its_own_trades_each_once_and_in_order(
    rules: Rules, events: list[Event], steps: list[Step]
) -> None:
    partition = _run(AggregatePartition(rules), events, steps)
    tape = Tape(rules).take_all(events)
    last = dict(partition.windows(PATH))
    assert last.keys() == {_key(window) for window in tape.last_published()}
    for window in tape.last_published():
        assert last[_key(window)]["offsets"] == _path(tape, rules, window)

    undisturbed = _run(AggregatePartition(rules), events, [])
    assert {topic: dict(records) for topic, records in partition.records.items()} == {
        topic: dict(records) for topic, records in undisturbed.records.items()
    }


@given(rules(), tapes(), steps)
@bounded
def test_what_the_bars_forget_the_aggregates_forget(rules: Rules, events: list[Event], steps: list[Step]) -> None:
    partition = _run(AggregatePartition(rules), events, steps)
    config = fold_config(rules)
    for key in [key for key, value in dict(partition.state).items() if value is not None]:
        kind, place = read_key(key)
        if kind is Kind.WINDOW:
            _, venue, instrument, interval, start_ns = place
            levels = [level.name for level in config.levels_of(venue, instrument)]
            assert partition.has_bar(venue, instrument, levels.index(interval), start_ns)


def _run(partition: AggregatePartition, events: Sequence[Event], steps: Sequence[Step]) -> AggregatePartition:
    for step in [*steps, Step(len(events), NONE, "flush")]:
        first = partition.next_offset
        piece = events[first : first + step.records]
        if piece:
            partition.fold(record_batch(first, records_of(piece), codec=step.codec))
        if step.then == "flush":
            partition.flush()
        elif step.then == COME_BACK_LESS_PATIENT:
            partition.come_back(_less_patient(partition.rules))
        elif step.then != "nothing":
            partition.crash_and_restore(is_compacted=step.then == "crash_compacted")
    return partition


def _less_patient(rules: Rules) -> Rules:
    out_of_order_ns = rules.out_of_order_ns if rules.hopping else 0  # where intervals overlap it stays
    return replace(rules, horizon_ns=rules.horizon_ns // 4, out_of_order_ns=out_of_order_ns)


def _key(window: Window) -> bytes:
    return f"{window.venue}:{window.instrument}:{window.interval}:{window.start_ns}".encode()


def _path(tape: Tape, rules: Rules, window: Window) -> str:
    """Trades by base window, then as they first came; one that was corrected is where the wrong one was."""
    base_ns, end_ns = rules.intervals[0][1], rules.end_ns(window)
    trades = [
        (entry.now.event_time_ns // base_ns, entry.original.offset, entry.now)
        for entry in tape.entries
        if (entry.original.venue, entry.original.instrument) == (window.venue, window.instrument)
        and entry.now is not None
        and window.start_ns <= entry.now.event_time_ns < end_ns
    ]
    trades.sort(key=lambda trade: trade[:2])
    return "".join(f"{trade.offset}={trade.trade_id}@{trade.event_time_ns};" for _, _, trade in trades)
