"""The kernel's numbers against Python's integers and Decimals, most of them where a width ends."""

from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.kernel import Flush
from tests.unit.agents.kernel.bar_oracle import EXACT, Event, Published, Rules, Tape, Trade
from tests.unit.agents.kernel.partition_kit import (
    NOON,
    SECOND,
    Partition,
    a_clock,
    a_trade,
    bars_in,
    live_in,
    new_fold,
    read_bar,
    read_live,
    records_of,
    trade_value,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

RULES = Rules((("1s", SECOND), ("1m", 60 * SECOND)), 0, 0, 900 * SECOND, SECOND)
DAY_NS = 86_400 * SECOND
TIME_BOUND_NS = 2**63 - 1 - 2 * DAY_NS - RULES.horizon_ns - RULES.max_ahead_ns
LIMIT = 10**38
REFUSED = "price or size is out of range: at most 38 digits"
bounded = settings(max_examples=200)

ENDS_OF_WIDTHS = sorted({2**bits for bits in range(127)} | {10**digits for digits in range(39)})
amounts = (
    st.builds(lambda end, by: end + by, st.sampled_from(ENDS_OF_WIDTHS), st.integers(-2, 2)) | st.integers(1, LIMIT - 1)
).filter(lambda unscaled: 0 < unscaled < LIMIT)
decimals = amounts.map(lambda unscaled: EXACT.scaleb(Decimal(unscaled), -18))


@given(st.lists(st.tuples(decimals, decimals, st.integers(0, 3 * SECOND)), min_size=1, max_size=8))
@bounded
def test_sums_are_exact_up_to_their_bounds_and_refused_beyond(trades: list[tuple[Decimal, Decimal, int]]) -> None:
    events: list[Event] = [
        Trade(offset, "binance", "BTC-USDT", str(offset), offset, price, size, NOON + at_ns, NOON + at_ns)
        for offset, (price, size, at_ns) in enumerate(trades)
    ]
    partition = Partition(RULES)
    partition.fold(record_batch(0, records_of(events)))
    live = {window: bar for value in partition.live_all().values() for window, bar in read_live(value).items()}
    tape = Tape(RULES).take_all(events)
    for window, bar in live.items():
        shown = tape.bar(window, bar["seq"])
        assert (bar["volume"], bar["notional"]) == (shown.volume, shown.notional)
    events.append(a_clock(len(events), 600))
    partition.fold(record_batch(len(events) - 1, records_of(events[-1:])))
    partition.flush()
    tape.take(events[-1])
    published = [read_bar(key, value) for key, value in partition.bars]
    assert {bar.window: bar for bar in published} == tape.last_published()
    assert partition.dead == tape.dead


def bars_of_a_minute(flush: Flush) -> list[Published]:
    """The bars of `1m` among those of all intervals."""
    return [bar for bar in (read_bar(key, value) for key, value in bars_in(flush)) if bar.window.interval == "1m"]


def reading_of(field: str, unscaled: int, width: int) -> Decimal | str:
    """What the kernel makes of an amount in so many bytes: the bar's value, or why the record is dead."""
    value = trade_value(a_trade(0, 1), **{field: unscaled.to_bytes(width, "big", signed=True)})
    fold = new_fold(RULES)
    fold.fold(record_batch(0, [KafkaRecord(None, value), *records_of([a_clock(1, 600)])]), [], 0)
    flush = fold.take_flush()
    if flush.dead:
        return flush.dead[0][3]
    (bar,) = bars_of_a_minute(flush)
    return bar.close if field == "price" else bar.volume


@given(
    st.sampled_from(["price", "size"]),
    st.builds(
        lambda end, by, sign: sign * (end + by),
        st.sampled_from(ENDS_OF_WIDTHS),
        st.integers(-2, 2),
        st.sampled_from([1, -1]),
    )
    | st.integers(-(2**200), 2**200),
    st.integers(0, 20),
)
@example("price", LIMIT - 1, 0)
@example("price", LIMIT, 0)
@example("price", -LIMIT, 0)
@example("size", 2**127 - 1, 0)
@example("size", -(2**127), 0)
@example("size", 2**127, 3)
@bounded
def test_an_amount_of_any_width_is_read_exactly_or_refused(field: str, unscaled: int, padding: int) -> None:
    width = unscaled.bit_length() // 8 + 1 + padding
    read = reading_of(field, unscaled, width)
    if not -LIMIT < unscaled < LIMIT:
        assert read == REFUSED
    elif unscaled <= 0:
        assert read == f"{field} is not positive"
    else:
        assert read == EXACT.scaleb(Decimal(unscaled), -18)


ids = (
    st.integers(0, 2**64).map(str)
    | st.from_regex(r"[0-9]{1,22}", fullmatch=True)
    | st.from_regex(r"[0-9:/;A-F]{1,20}", fullmatch=True)
)


@given(st.lists(ids, min_size=1, max_size=12))
@example(["0", "00", "000000001", "1"])
@example(["9223372036854775807", "9223372036854775808", "09223372036854775807"])
@example(["999999999999999999", "1000000000000000000"])
@example(["1234567:", "12345678", "1234567/", "/2345678"])
@bounded
def test_ids_are_one_only_when_their_text_is(trade_ids: list[str]) -> None:
    events: list[Event] = [a_trade(offset, 1, trade_id=trade_id) for offset, trade_id in enumerate(trade_ids)]
    fold = new_fold(RULES)
    outcome = fold.fold(record_batch(0, records_of([*events, a_clock(len(events), 600)])), [], 0)
    assert (outcome.trades, outcome.duplicates) == (len(set(trade_ids)), len(trade_ids) - len(set(trade_ids)))
    (bar,) = bars_of_a_minute(fold.take_flush())
    assert (bar.first_trade_id, bar.last_trade_id) == (trade_ids[0], list(dict.fromkeys(trade_ids))[-1])


whole_numbers = st.builds(
    lambda bits, by, sign: sign * (2**bits + by), st.integers(0, 63), st.integers(-2, 2), st.sampled_from([1, -1])
).filter(lambda number: -(2**63) <= number < 2**63)


@given(whole_numbers, whole_numbers, st.sampled_from([None, 0, 5]) | whole_numbers)
@example(TIME_BOUND_NS, TIME_BOUND_NS, None)
@example(TIME_BOUND_NS + 1, TIME_BOUND_NS + 1, None)
@example(-TIME_BOUND_NS, -TIME_BOUND_NS, None)
@example(-TIME_BOUND_NS - 1, -TIME_BOUND_NS - 1, None)
@example(0, -(2**63), None)
@example(-(2**63), 2**63 - 1, None)
@bounded
def test_times_and_sequences_of_any_width_are_read_exactly(
    time_ns: int, received_ns: int, sequence: int | None
) -> None:
    trade = Trade(0, "binance", "BTC-USDT", "1", sequence, Decimal(1), Decimal(1), time_ns, received_ns)
    fold = new_fold(RULES)
    fold.fold(record_batch(0, records_of([trade])), [], 0)
    live = {window: bar for value in live_in(fold).values() for window, bar in read_live(value).items()}
    dead = [reason for *_, reason in fold.take_flush().dead]
    if abs(time_ns) > TIME_BOUND_NS:
        assert (live, dead) == ({}, ["event time is out of range"])
    elif time_ns - received_ns > RULES.max_ahead_ns:
        assert (live, dead) == ({}, ["event time is too far ahead of its receive time"])
    else:
        assert dead == []
        assert {(window.interval, window.start_ns) for window in live} == {
            (name, time_ns // length * length) for name, length in RULES.intervals
        }
