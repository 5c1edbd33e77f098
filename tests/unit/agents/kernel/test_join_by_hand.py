"""Single cases of the join whose answer is plain: amounts at their bounds, flaws, and what memory is for."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from agents.kernel import CorruptState, QuoteJoin
from app.units import MILLISECOND_NS
from tests.unit.agents.kernel.bar_oracle import Clock
from tests.unit.agents.kernel.join_kit import JoinedPartition, batch_of, new_join, read_joined, trade_value, value_of
from tests.unit.agents.kernel.join_oracle import Fields, JoinRules, Log, Quote, QuoteEvent, Tick, TradeEvent
from tests.unit.agents.kernel.partition_kit import NOON, SECOND, long, new_schemas, records_in, schema_text, wire
from tests.unit.agents.kernel.record_sets import LOG_APPEND_TIME, NONE, KafkaRecord, record_batch

RULES = JoinRules(SECOND, 900 * SECOND, 60 * SECOND, 60 * SECOND, SECOND, frozenset({"binance"}))
LARGEST = Decimal("99999999999999999999.999999999999999999")
LEAST = Decimal("0.000000000000000001")
WIDEST = Decimal("199999999999999999999.999999999999999996")
ONE = Decimal(1)
NEW_ID = 77


def tick(offset: int, at_s: int, price: Decimal = ONE, aggressor: str = "buy") -> Tick:
    at_ns = NOON + at_s * SECOND
    return Tick(offset, "binance", "BTC-USDT", str(offset), price, ONE, aggressor, at_ns, at_ns)


def quote(offset: int, at_s: int, bid: Decimal = ONE, ask: Decimal = ONE) -> Quote:
    at_ns = NOON + at_s * SECOND
    return Quote(offset, "binance", "BTC-USDT", None, (bid, ONE), (ask, ONE), at_ns, at_ns)


def clock(offset: int, at_s: int) -> Clock:
    return Clock(offset, "binance", NOON + at_s * SECOND)


def only_joined(trade: Tick, *quotes: QuoteEvent) -> Fields:
    partition = JoinedPartition(RULES, [trade, clock(1, 100)], [*quotes, clock(len(quotes), 100)])
    partition.take_all()
    (fields,) = partition.joined
    return fields


@pytest.mark.parametrize(
    ("price", "aggressor", "spread", "signed"),
    [
        ("10.5", "buy", "0.5", "0.5"),
        ("10.5", "sell", "0.5", "-0.5"),
        ("9.9", "sell", "0.7", "0.7"),
        ("10.25", "sell", "0", "0"),
        ("10.5", "unknown", "0.5", None),
    ],
)
def test_the_effective_spread_is_twice_the_distance_from_the_middle(
    price: str, aggressor: str, spread: str, signed: str | None
) -> None:
    fields = only_joined(tick(0, 10, Decimal(price), aggressor), quote(0, 9, Decimal(10), Decimal("10.5")))
    assert fields["effective_spread"] == Decimal(spread)
    assert fields["signed_effective_spread"] == (None if signed is None else Decimal(signed))


@pytest.mark.parametrize(("price", "side", "paid"), [(LARGEST, LEAST, WIDEST), (LEAST, LARGEST, WIDEST.copy_negate())])
def test_the_widest_spread_there_can_be_is_exact(price: Decimal, side: Decimal, paid: Decimal) -> None:
    fields = only_joined(tick(0, 10, price), quote(0, 9, side, side))
    assert (fields["effective_spread"], fields["signed_effective_spread"]) == (WIDEST, paid)


def test_a_quote_of_the_trade_s_own_time_counts_and_one_after_it_does_not() -> None:
    fields = only_joined(tick(0, 10), quote(0, 9), quote(1, 10), quote(2, 11))
    assert fields["quote_offset"] == 1


CANCELLED = replace(tick(1, 11), action="cancel", refers_to="0", trade_id="0")
CORRECTED = replace(tick(1, 10, Decimal(2)), action="correct", refers_to="0", trade_id="0c")


@pytest.mark.parametrize("told", [CANCELLED, CORRECTED], ids=["cancelled", "corrected"])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_correction_or_cancellation_that_is_delivered_again_is_published_once(
    told: Tick, *, is_restarted: bool
) -> None:
    heard_later = replace(told, offset=3, receive_time_ns=told.receive_time_ns + 1)
    trades: list[TradeEvent] = [tick(0, 10), told, replace(told, offset=2), heard_later, clock(4, 100)]
    partition = JoinedPartition(RULES, trades, [quote(0, 9), clock(1, 100)])
    partition.take_trades(2, NONE)
    partition.flush()
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    partition.take_all()
    assert [fields["seq"] for fields in partition.joined] == [0, 1, 3]


def test_quotes_that_cannot_be_are_dead_letters() -> None:
    flawed = [
        quote(0, 1, bid=Decimal(-1)),
        replace(quote(1, 1), bid=(ONE, Decimal(0))),
        replace(quote(2, 1), receive_time_ns=NOON - 60 * SECOND),
        replace(quote(3, 1), instrument=""),
        quote(4, 1),
    ]
    partition = JoinedPartition(RULES, [], flawed)
    partition.take_all()
    assert partition.dead == [0, 1, 2, 3]


def test_quotes_are_forgotten_once_no_trade_can_ask_for_them() -> None:
    seconds = range(1_000)
    trades = [clock(at, at) for at in seconds]
    quotes = [event for at in seconds for event in (quote(2 * at, at), clock(2 * at + 1, at))]
    partition = JoinedPartition(RULES, trades, quotes)
    partition.take_all()
    assert partition.kept_quotes < 130


def test_a_waiting_trade_that_cannot_be_read_after_a_restart_is_not_taken_for_another() -> None:
    values = [trade_value(tick(0, 10)), wire(NEW_ID, trade_value(tick(1, 11))[5:]), trade_value(tick(2, 12))]
    trades = record_batch(0, [KafkaRecord(b"key", value) for value in values])
    schemas = new_schemas()
    schemas.add(NEW_ID, schema_text("trade"))
    join = new_join(RULES, schemas)
    assert join.take_trades(trades, [], 0).trades == 3
    changelog = [KafkaRecord(key, value) for key, value in records_in(join.take_flush().changelog)]

    schemas = new_schemas()
    schemas.refuse(NEW_ID, "nobody knows it any more")
    join = new_join(RULES, schemas)
    join.restore(record_batch(0, changelog), [], 0)
    join.restored(0, 0)
    outcome = join.take_trades(trades, [], 0)
    assert (outcome.trades, outcome.unusable) == (0, 1)
    join.take_trades(batch_of([clock(3, 100)], NONE), [], 3)
    join.take_quotes(batch_of([clock(0, 100)], NONE), [], 0)
    joined = [read_joined(key, value) for key, value in records_in(join.take_flush().joined)]
    assert [(fields["trade_id"], fields["seq"]) for fields in joined] == [("0", 0), ("2", 2)]


def test_trades_that_waited_hold_no_others_back_while_they_are_read_again() -> None:
    trades: list[TradeEvent] = [*(tick(offset, offset) for offset in range(4)), clock(4, 100)]
    partition = JoinedPartition(RULES, trades, [])
    partition.take_all()
    assert partition.join.waiting_for_quotes == 4
    partition.crash_and_restore(is_compacted=False)
    partition.take_trades(3, NONE)
    assert partition.join.waiting_for_quotes == 0
    partition.take_trades(len(trades), NONE)
    assert partition.join.waiting_for_quotes == 4


def test_a_log_that_nothing_was_taken_of_is_gone_on_with_where_it_began() -> None:
    join = new_join(RULES)
    assert join.restored(1_000, 2_000) is None
    assert join.take_flush().is_empty
    join.take_trades(batch_of([tick(1_000, 10)], NONE), [], 1_000)
    changelog = [KafkaRecord(key, value) for key, value in records_in(join.take_flush().changelog)]
    again = new_join(RULES)
    again.restore(record_batch(0, changelog), [], 0)
    progress = again.restored(1_000, 2_000)
    assert progress is not None
    assert (progress.trades_from, progress.trades_reached) == (1_000, 1_001)
    assert (progress.quotes_from, progress.quotes_reached) == (2_000, 2_000)


def appended(records: Sequence[TradeEvent | QuoteEvent]) -> bytes:
    """A batch of them that came to the log 100 s after noon."""
    values = [KafkaRecord(b"key", value_of(event)) for event in records]
    return record_batch(0, values, flags=LOG_APPEND_TIME, base_timestamp_ms=NOON // MILLISECOND_NS + 100_000)


def test_trades_and_quotes_more_than_a_day_ahead_of_the_log_are_not_joined() -> None:
    in_a_day_s = 100 + 86_400
    join = new_join(RULES)
    assert join.take_trades(appended([tick(0, in_a_day_s), tick(1, in_a_day_s + 1)]), [], 0).unusable == 1
    outcome = join.take_quotes(appended([quote(0, in_a_day_s), quote(1, in_a_day_s + 1)]), [], 0)
    assert (outcome.quotes, outcome.dead) == (1, 1)
    reasons = [(offset, reason) for *_, offset, reason in join.take_flush().dead]
    assert reasons == [(1, "event time is more than a day ahead of when the record came to the log")]


def test_a_clock_further_ahead_of_the_log_than_a_trade_may_be_makes_nothing_late() -> None:
    join = new_join(RULES)
    assert join.take_trades(appended([clock(0, 10**9), tick(1, 10), clock(2, 101)]), [], 0).unusable == 1
    assert join.take_quotes(appended([clock(0, 10**9), quote(1, 9), clock(2, 101)]), [], 0).dead == 1
    flush = join.take_flush()
    (fields,) = [read_joined(key, value) for key, value in records_in(flush.joined)]
    assert (fields["match"], fields["quote_offset"]) == ("quoted", 1)
    reasons = [(offset, reason) for *_, offset, reason in flush.dead]
    assert reasons == [(0, "the clock's time is too far ahead of when it came to the log")]


MINUTE_MS = 60_000
APPENDED_MS = NOON // MILLISECOND_NS + 100_000


@pytest.mark.parametrize(("waited_ms", "is_published"), [(15 * MINUTE_MS, False), (15 * MINUTE_MS + 1, True)])
def test_a_trade_of_a_venue_that_never_tells_its_clock_waits_for_a_quarter_of_an_hour_of_its_log(
    waited_ms: int, *, is_published: bool
) -> None:
    misspelt = replace(tick(0, 10), venue="binanse")
    partition = JoinedPartition(RULES, Log([misspelt, clock(1, 100)], [APPENDED_MS, APPENDED_MS + waited_ms]), [])
    partition.take_all()
    assert [fields["match"] for fields in partition.joined] == ["none"] * is_published
    partition.crash_and_restore(is_compacted=True)
    assert partition.trades_at == (2 if is_published else 0)


def test_a_trade_of_a_venue_whose_quotes_stay_away_gets_the_one_that_stood_and_none_that_comes_later() -> None:
    kraken = replace(quote(1, 50), venue="kraken")
    too_late = quote(2, 10, bid=Decimal(7))
    waited_ms = APPENDED_MS + 15 * MINUTE_MS + 1
    quotes = Log([quote(0, 9), kraken, too_late], [APPENDED_MS, waited_ms, waited_ms])
    for counts in ([(1, 0), (1, 2), (1, 1)], [(0, 3), (2, 0)]):
        partition = JoinedPartition(RULES, Log([tick(0, 10), clock(1, 100)], [APPENDED_MS] * 2), quotes)
        for trades_taken, quotes_taken in counts:
            partition.take_trades(trades_taken, NONE)
            partition.take_quotes(quotes_taken, NONE)
        partition.flush()
        assert [(fields["match"], fields["quote_offset"]) for fields in partition.joined] == [("quoted", 0)]


@pytest.mark.parametrize("taken_before", range(5))
def test_trades_are_joined_by_their_clocks_while_the_logs_own_clock_is_set_back(taken_before: int) -> None:
    before_ms, since_ms = APPENDED_MS + 60 * MINUTE_MS, APPENDED_MS
    times = [before_ms, before_ms, since_ms, since_ms]
    trades = Log([tick(0, 10), clock(1, 11), tick(2, 190), clock(3, 200)], times)
    quotes = Log([quote(0, 9), clock(1, 11), quote(2, 189), clock(3, 200)], times)
    partition = JoinedPartition(RULES, trades, quotes)
    partition.take_quotes(2, NONE)
    partition.take_trades(taken_before, NONE)
    partition.flush()
    partition.crash_and_restore(is_compacted=True)
    partition.take_all()
    assert [(fields["match"], fields["quote_offset"]) for fields in partition.joined] == [("quoted", 0), ("quoted", 2)]


def test_where_nobody_writes_quotes_any_more_the_end_of_their_log_stands_for_its_time() -> None:
    waited_ms = APPENDED_MS + 30 * MINUTE_MS
    trades = Log([tick(0, 10), clock(1, 100), clock(2, 101)], [APPENDED_MS, waited_ms, waited_ms + 1])
    partition = JoinedPartition(RULES, trades, Log([quote(0, 9), quote(1, 9)], [APPENDED_MS, APPENDED_MS]))
    overdue_ms = []
    partition.take_quotes(1, NONE)
    for _ in trades.events:
        partition.take_trades(1, NONE)
        overdue_ms.append(partition.join.overdue_ms)
    assert overdue_ms == [None, None, waited_ms + 1]
    partition.join.end_quotes(2, waited_ms + 1)
    assert partition.join.overdue_ms == waited_ms + 1, "there is one more to be taken"
    partition.take_quotes(1, NONE)
    partition.join.end_quotes(2, waited_ms + 1)
    partition.flush()
    assert [(fields["match"], fields["quote_offset"]) for fields in partition.joined] == [("quoted", 1)]


def test_a_venue_that_stays_away_keeps_no_quotes_of_others_and_no_place_in_the_logs() -> None:
    count = 12_000
    away = (tick(0, 1), quote(0, 1))
    at_s = [number // 4 for number in range(1, count)]
    trades: list[TradeEvent] = [
        away[0],
        *(Clock(number, "kraken", NOON + s * SECOND) for number, s in enumerate(at_s, start=1)),
    ]
    quotes: list[QuoteEvent] = [
        away[1],
        *(
            Clock(number, "kraken", NOON + s * SECOND)
            if number % 4 == 0
            else replace(quote(number, s), venue="kraken", instrument="BTC-USD")
            for number, s in enumerate(at_s, start=1)
        ),
    ]
    times = [APPENDED_MS, *(APPENDED_MS + s // 60 * MINUTE_MS for s in at_s)]
    rules = replace(RULES, quoted=frozenset({"binance", "kraken"}))
    partition = JoinedPartition(rules, Log(trades, times), Log(quotes, times))
    partition.take_all()
    assert [fields["match"] for fields in partition.joined] == ["quoted"]
    assert partition.kept_quotes < 500
    partition.crash_and_restore(is_compacted=True)
    assert (partition.trades_at, partition.quotes_at > count / 2) == (count, True)


def test_quotes_that_are_gone_by_retention_leave_the_trades_of_their_time_without_one_and_no_older_one_counts() -> None:
    trades: list[TradeEvent] = [tick(0, 12), tick(1, 14), clock(2, 15), tick(3, 11), tick(4, 21), clock(5, 200)]
    quotes: list[QuoteEvent] = [clock(0, 9), quote(1, 13), quote(2, 10), quote(3, 11), quote(4, 20), clock(5, 200)]
    for cut in (1, 2, 3):
        partition = JoinedPartition(RULES, trades, quotes)
        partition.take_quotes(3, NONE)
        partition.take_trades(3, NONE)
        partition.flush()
        progress = partition.crash_and_restore(is_compacted=True, quotes_begin=cut)
        assert progress is not None
        assert (progress.quotes_from, progress.quotes_reached, progress.quotes_gone) == (3, 3, cut)
        partition.take_all()
        joined = {fields["seq"]: (fields["match"], fields["quote_offset"]) for fields in partition.joined}
        assert joined == {0: ("none", None), 1: ("none", None), 3: ("none", None), 4: ("quoted", 4)}


def test_trades_that_wait_and_are_gone_by_retention_are_counted_once_and_the_join_goes_on_with_the_others() -> None:
    trades: list[TradeEvent] = [tick(0, 10), tick(1, 11), clock(2, 11), tick(3, 12), clock(4, 100)]
    partition = JoinedPartition(RULES, trades, [quote(0, 9), clock(1, 100)])
    partition.take_trades(4, NONE)
    partition.flush()
    progress = partition.crash_and_restore(is_compacted=True, trades_begin=1)
    assert progress is not None
    assert (progress.trades_from, progress.trades_reached, progress.trades_gone) == (1, 4, 1)
    partition.take_trades(3, NONE)
    assert not partition.flush().is_empty
    again = partition.crash_and_restore(is_compacted=True, trades_begin=1)
    assert again is not None
    assert (again.trades_from, again.trades_gone) == (1, 0)
    partition.take_all()
    assert [(fields["seq"], fields["match"]) for fields in partition.joined] == [(1, "quoted"), (3, "quoted")]


def test_under_a_longer_horizon_no_trade_is_published_again_whose_id_the_shorter_one_had_forgotten() -> None:
    shorter = replace(RULES, horizon_ns=100 * SECOND)
    again = replace(tick(2, 10), trade_id="0")
    trades: list[TradeEvent] = [
        tick(0, 10),
        clock(1, 200),
        again,
        tick(3, 99),
        tick(4, 100),
        clock(5, 300),
        replace(again, offset=6),
        tick(7, 100),
        clock(8, 1_100),
        tick(9, 201),
    ]
    partition = JoinedPartition(shorter, trades, [clock(0, 2_000)])
    for count in (2, 3, 5):
        partition.take_trades(count, NONE)
        partition.take_quotes(1, NONE)
        partition.flush()
        partition.crash_and_restore(is_compacted=True, rules=RULES)
    assert [fields["seq"] for fields in partition.joined] == [0, 4, 7, 9]


BRIEF = replace(RULES, quote_horizon_ns=10 * SECOND, max_quote_age_ns=10 * SECOND)


@pytest.mark.parametrize(
    "longer", [replace(BRIEF, max_quote_age_ns=60 * SECOND), replace(BRIEF, quote_horizon_ns=60 * SECOND)]
)
def test_under_a_longer_age_or_quote_horizon_no_quote_counts_that_a_forgotten_one_followed(longer: JoinRules) -> None:
    """The first one did, and left the log's place with the thousands behind it; the older one is read again."""
    others = [replace(quote(number, 30), instrument="ETH-USDT") for number in range(1, 5_000)]
    later: list[QuoteEvent] = [quote(5_000, 26), clock(5_001, 60), quote(5_002, 66), clock(5_003, 200)]
    quotes = [quote(0, 30), *others, *later]
    trades: list[TradeEvent] = [clock(0, 60), tick(1, 65), tick(2, 35), tick(3, 67), clock(4, 200)]
    partition = JoinedPartition(BRIEF, trades, quotes)
    partition.take_quotes(5_002, NONE)
    partition.take_trades(2, NONE)
    partition.flush()
    progress = partition.crash_and_restore(is_compacted=True, rules=longer)
    assert progress is not None
    assert progress.lacks_older_quotes
    partition.take_all()
    assert {fields["seq"]: fields["quote_offset"] for fields in partition.joined} == {1: None, 2: None, 3: 5_002}
    again = partition.crash_and_restore(is_compacted=True)
    assert again is not None
    assert not again.lacks_older_quotes


def test_a_horizon_that_is_made_shorter_for_a_moment_has_no_trade_published_again() -> None:
    trades: list[TradeEvent] = [
        tick(0, 10),
        clock(1, 200),
        Clock(2, "kraken", NOON),
        replace(tick(3, 10), trade_id="0"),
    ]
    partition = JoinedPartition(RULES, trades, [clock(0, 2_000)])
    partition.take_quotes(1, NONE)
    for count, horizon_ns in ((2, 100 * SECOND), (1, RULES.horizon_ns), (1, RULES.horizon_ns)):
        partition.take_trades(count, NONE)
        partition.flush()
        partition.crash_and_restore(is_compacted=True, rules=replace(RULES, horizon_ns=horizon_ns))
    assert [fields["seq"] for fields in partition.joined] == [0]


def as_of_3(progress: bytes | None) -> bytes:
    """A progress as version 3 wrote it: it did not say for how long quotes were kept."""
    assert progress is not None
    kept = long(RULES.quote_horizon_ns) + long(RULES.max_quote_age_ns)
    assert (progress[:1], progress[-len(kept) :]) == (b"\4", kept)
    return b"\3" + progress[1 : -len(kept)]


def as_of_2(progress: bytes | None) -> bytes:
    """A progress as version 2 wrote it, where the logs do not say when they took their records and no quotes came."""
    of_3 = as_of_3(progress)
    what_2_had, ids_from, name = of_3.rpartition(b"\0\0\0\2\x0e")
    assert (ids_from, name[:7]) == (b"\0\0\0\2\x0e", b"binance")
    return b"\2" + what_2_had[1:]


def test_of_a_state_that_does_not_tell_which_ids_are_forgotten_trades_behind_the_clock_are_late() -> None:
    join = new_join(replace(RULES, horizon_ns=0))
    join.take_trades(batch_of([tick(0, 10), clock(1, 200)], NONE), [], 0)
    records = records_in(join.take_flush().changelog)
    key, value = records[-1]
    again = new_join(RULES)
    again.restore(record_batch(0, [KafkaRecord(*record) for record in [*records[:-1], (key, as_of_2(value))]]), [], 0)
    again.restored(0, 0)
    later = [replace(tick(2, 10), trade_id="0"), tick(3, 199), tick(4, 200)]
    outcome = again.take_trades(batch_of(later, NONE), [], 2)
    assert (outcome.trades, outcome.late, outcome.duplicates) == (1, 2, 0)


def test_progress_of_the_release_before_is_gone_on_from_and_that_of_a_later_one_is_not() -> None:
    trades = batch_of([tick(0, 10), clock(1, 10)], NONE)
    join = new_join(RULES)
    join.take_trades(trades, [], 0)
    *ids, (key, value) = records_in(join.take_flush().changelog)
    assert value is not None
    of_2 = as_of_2(value)
    assert of_2[-2:] == b"\0\0"  # when the logs took their records: nobody said

    def restored(progress: bytes) -> QuoteJoin:
        again = new_join(RULES)
        again.restore(record_batch(0, [KafkaRecord(*record) for record in [*ids, (key, progress)]]), [], 0)
        return again

    for progress in (b"\1" + of_2[1:-2], of_2, as_of_3(value), value):
        before = restored(progress).restored(0, 0)
        assert before is not None
        assert (before.trades_from, before.trades_reached) == (0, 2)
    with pytest.raises(CorruptState):
        restored(b"\5" + value[1:])
