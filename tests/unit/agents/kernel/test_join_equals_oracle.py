"""However two logs are read, cut and interrupted: each trade is joined with the quote of its own time, once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from app.units import MILLISECOND_NS
from tests.unit.agents.kernel.bar_oracle import Clock, Unreadable
from tests.unit.agents.kernel.join_kit import JoinedPartition
from tests.unit.agents.kernel.join_oracle import (
    CLOCK_AWAY_MS,
    JoinRules,
    Log,
    Quote,
    QuoteEvent,
    Tick,
    TradeEvent,
    accepted_trades,
    published,
)
from tests.unit.agents.kernel.partition_kit import NOON, SECOND
from tests.unit.agents.kernel.record_sets import LZ4, NONE

CODECS = [NONE, LZ4]
INSTRUMENTS = (("binance", "BTC-USDT"), ("binance", "ETH-USDT"), ("kraken", "BTC-USD"), ("unquoted", "BTC-USD"))
bounded = settings(max_examples=200)

amounts = st.integers(1, 10**22).map(lambda unscaled: Decimal(unscaled).scaleb(-18))
instruments = st.sampled_from(INSTRUMENTS[:1] * 4 + INSTRUMENTS)
sides = st.integers(0, 6).flatmap(lambda number: st.tuples(amounts, amounts) if number else st.none())
ids = st.integers(0, 12).map(str) | st.integers(0, 5).map(lambda number: f"id-{number}")
jumps = st.sampled_from([0, 1, SECOND // 4, SECOND // 4, SECOND // 2, SECOND, 7 * SECOND, 70 * SECOND])


@dataclass(frozen=True)
class Step:
    """What happens next, and to how many records."""

    what: str
    records: int
    codec: int


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(["trades", "trades", "quotes", "quotes", "flush", "flush", "crash", "crash_compacted"]),
        st.integers(1, 8),
        st.sampled_from(CODECS),
    ),
    max_size=40,
)
rules = st.builds(
    JoinRules,
    base_ns=st.sampled_from([SECOND, 60 * SECOND]),
    horizon_ns=st.sampled_from([0, 10 * SECOND, 100 * SECOND]),
    quote_horizon_ns=st.sampled_from([0, 2 * SECOND, 60 * SECOND]),
    max_quote_age_ns=st.sampled_from([SECOND, 10 * SECOND, 600 * SECOND]),
    max_ahead_ns=st.just(SECOND),
    quoted=st.just(frozenset({"binance", "kraken"})),
)


def ending(offset: int, now_ns: int) -> list[Clock]:
    """A clock of each venue that has passed everything before it."""
    venues = sorted({venue for venue, _ in INSTRUMENTS})
    return [Clock(offset + number, venue, now_ns + 3 * SECOND) for number, venue in enumerate(venues)]


@st.composite
def trade_logs(draw: st.DrawFn) -> list[TradeEvent]:
    now_ns = NOON
    events: list[TradeEvent] = []
    for offset in range(draw(st.integers(0, 40))):
        now_ns += draw(jumps)
        kind = draw(st.sampled_from(["trade"] * 8 + ["again", "clock", "clock", "clock", "correct", "cancel", "bad"]))
        venue, instrument = draw(instruments)
        earlier = [event for event in events if isinstance(event, Tick)]
        if kind == "clock":
            events.append(Clock(offset, venue, now_ns - draw(st.integers(-2, 5)) * SECOND))
        elif kind == "bad":
            events.append(Unreadable(offset))
        elif kind == "again" and earlier:
            events.append(replace(draw(st.sampled_from(earlier)), offset=offset))
        else:
            event_ns = now_ns - draw(st.integers(0, 9)) * draw(st.sampled_from([0, SECOND // 2, 10 * SECOND]))
            is_trade = kind not in {"correct", "cancel"}
            events.append(
                Tick(
                    offset,
                    venue,
                    instrument,
                    draw(ids),
                    draw(amounts),
                    draw(amounts),
                    draw(st.sampled_from(["unknown", "buy", "sell"])),
                    event_ns,
                    event_ns - draw(st.sampled_from([0, 0, 0, 0, 0, 2 * SECOND])),
                    "trade" if is_trade else kind,
                    None if is_trade else "7",
                )
            )
    return [*events, *(ending(len(events), now_ns) if draw(st.booleans()) else [])]


@st.composite
def quote_logs(draw: st.DrawFn) -> list[QuoteEvent]:
    now_ns = NOON
    events: list[QuoteEvent] = []
    for offset in range(draw(st.integers(0, 40))):
        now_ns += draw(jumps)
        kind = draw(st.sampled_from(["quote"] * 8 + ["clock"] * 3 + ["bad"]))
        venue, instrument = draw(instruments)
        if kind == "clock":
            events.append(Clock(offset, venue, now_ns - draw(st.integers(-2, 3)) * SECOND))
        elif kind == "bad":
            events.append(Unreadable(offset))
        else:
            event_ns = now_ns - draw(st.integers(0, 4)) * draw(st.sampled_from([0, 0, SECOND // 2, 5 * SECOND]))
            events.append(
                Quote(
                    offset,
                    venue,
                    instrument,
                    offset * 17 % 101 if instrument == "ETH-USDT" else None,
                    draw(sides),
                    draw(sides),
                    event_ns,
                    event_ns - draw(st.sampled_from([0, 0, 0, 0, 0, 2 * SECOND])),
                )
            )
    return [*events, *(ending(len(events), now_ns) if draw(st.booleans()) else [])]


def run(partition: JoinedPartition, plan: Sequence[Step], *, to_their_ends: bool = True) -> None:
    for step in plan:
        match step.what:
            case "trades":
                partition.take_trades(step.records, step.codec)
            case "quotes":
                partition.take_quotes(step.records, step.codec)
            case "flush":
                partition.flush()
            case _:
                partition.crash_and_restore(is_compacted=step.what == "crash_compacted")
    if to_their_ends:
        partition.take_all()


@bounded
@given(rules, trade_logs(), quote_logs(), steps)
def test_what_is_published_is_that_of_the_two_logs_alone(
    given_rules: JoinRules, trades: list[TradeEvent], quotes: list[QuoteEvent], plan: list[Step]
) -> None:
    partition = JoinedPartition(given_rules, trades, quotes)
    run(partition, plan)
    wanted = published(given_rules, Log(trades), Log(quotes))
    assert len(partition.joined) == len({fields["seq"] for fields in partition.joined})
    assert {fields["seq"]: fields for fields in partition.joined} == wanted
    assert partition.dead == sorted(set(partition.dead))
    behind = {each.tick.offset for each in accepted_trades(given_rules, Log(trades)) if each.is_behind}
    by_venue = defaultdict(list)
    for fields in partition.joined:
        if fields["seq"] not in behind:
            by_venue[fields["venue"]].append((fields["event_time_ns"], fields["seq"]))
    assert all(order == sorted(order) for order in by_venue.values())


QUOTE_FIELDS = ("bid_price", "bid_size", "ask_price", "ask_size", "quote_time_ns", "quote_offset")
SPREADS = ("effective_spread", "signed_effective_spread")


@bounded
@given(rules, trade_logs(), quote_logs(), st.tuples(steps, steps), st.data())
def test_where_retention_took_records_that_were_to_be_read_again_no_trade_has_a_wrong_quote(
    given_rules: JoinRules,
    trades: list[TradeEvent],
    quotes: list[QuoteEvent],
    plans: tuple[list[Step], list[Step]],
    data: st.DataObject,
) -> None:
    partition = JoinedPartition(given_rules, trades, quotes)
    run(partition, plans[0], to_their_ends=False)
    partition.flush()
    known = partition.crash_and_restore(is_compacted=True)
    trades_begin = data.draw(st.integers(0, known.trades_reached if known else 0))
    quotes_begin = data.draw(st.integers(0, known.quotes_reached if known else 0))
    partition.crash_and_restore(is_compacted=True, trades_begin=trades_begin, quotes_begin=quotes_begin)
    run(partition, [step for step in plans[1] if not step.what.startswith("crash")])
    wanted = published(given_rules, Log(trades), Log(quotes))
    joined = {fields["seq"]: fields for fields in partition.joined}
    assert len(joined) == len(partition.joined)
    assert {seq for seq in wanted if seq >= trades_begin} <= joined.keys()
    for seq, fields in joined.items():
        without = dict.fromkeys((*QUOTE_FIELDS, *SPREADS)) | {"match": "none"}
        assert fields in (wanted.get(seq), {**fields, **without})


@st.composite
def times_ms(draw: st.DrawFn, count: int) -> list[int]:
    """When a log took its records: later than they say themselves, and by a clock that may be set back."""
    now_ms = NOON // MILLISECOND_NS + 10**8
    times = []
    for _ in range(count):
        now_ms += draw(
            st.sampled_from([0, 0, 1, 250, 60_000, 600_000, CLOCK_AWAY_MS, 2 * CLOCK_AWAY_MS, -2 * CLOCK_AWAY_MS])
        )
        times.append(now_ms - draw(st.sampled_from([0, 0, 0, 700])))
    return times


@bounded
@given(rules, trade_logs(), quote_logs(), steps, st.data())
def test_when_the_logs_took_their_records_decides_in_the_place_of_clocks_that_stay_away(
    given_rules: JoinRules, trades: list[TradeEvent], quotes: list[QuoteEvent], plan: list[Step], data: st.DataObject
) -> None:
    trade_log = Log(trades, data.draw(times_ms(len(trades))))
    quote_log = Log(quotes, data.draw(times_ms(len(quotes))))
    partition = JoinedPartition(given_rules, trade_log, quote_log)
    run(partition, plan)
    assert len(partition.joined) == len({fields["seq"] for fields in partition.joined})
    assert {fields["seq"]: fields for fields in partition.joined} == published(given_rules, trade_log, quote_log)
