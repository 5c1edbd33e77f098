"""What a trade must be joined with, computed anew from the whole of both logs and in no clever way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from app.units import MILLISECOND_NS
from tests.unit.agents.kernel.bar_oracle import EXACT, Clock, Unreadable

ID_BUCKET_NS = 60_000_000_000
CLOCK_AWAY_MS = 15 * 60 * 1_000
LONG_AGO = -(10**30)
Fields = dict[str, Any]


@dataclass(frozen=True)
class JoinRules:
    """Times in nanoseconds; `quoted` are the venues that have quotes.

    Of `contiguous` ones, which may begin to count anew, nothing here knows: `test_join_as_fold` compares with the fold.
    """

    base_ns: int
    horizon_ns: int
    quote_horizon_ns: int
    max_quote_age_ns: int
    max_ahead_ns: int
    quoted: frozenset[str]
    contiguous: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Tick:
    """A record of `trades` that is a trade, or corrects or cancels one."""

    offset: int
    venue: str
    instrument: str
    trade_id: str
    price: Decimal
    size: Decimal
    aggressor: str
    event_time_ns: int
    receive_time_ns: int
    action: str = "trade"
    refers_to: str | None = None


@dataclass(frozen=True)
class Quote:
    """A record of `quotes`; each side is (price, size) or None."""

    offset: int
    venue: str
    instrument: str
    quote_seq: int | None
    bid: tuple[Decimal, Decimal] | None
    ask: tuple[Decimal, Decimal] | None
    event_time_ns: int
    receive_time_ns: int

    @property
    def order(self) -> tuple[int, int, int]:
        return self.event_time_ns, self.offset if self.quote_seq is None else self.quote_seq, self.offset


TradeEvent = Tick | Clock | Unreadable
QuoteEvent = Quote | Clock | Unreadable


@dataclass(frozen=True)
class Accepted:
    """A trade that is to be published, and whether it came too late for its quote, or behind the clock at all."""

    tick: Tick
    appended_ms: int
    is_late: bool
    is_behind: bool


@dataclass(frozen=True)
class Log:
    """A log's records, and when it took each of them, in ms; it does not say so where there are no times."""

    events: Sequence[TradeEvent | QuoteEvent]
    times_ms: Sequence[int] = ()

    def appended_ms(self, place: int) -> int:
        return self.times_ms[place] if self.times_ms else 0

    def taken_ms(self, place: int) -> int:
        """The latest time at which it had taken a record by then: its clock may be set back."""
        return max(self.times_ms[: place + 1], default=0)

    @property
    def latest_ms(self) -> int:
        return max(self.times_ms, default=0)


def published(rules: JoinRules, trades: Log, quotes: Log) -> dict[int, Fields]:
    """The fields of each record of `trades.joined` by the trade's offset, once both logs are taken to their ends."""
    kept = list(accepted_quotes(rules, quotes))
    return {
        each.tick.offset: fields_of(rules, each, kept)
        for each in accepted_trades(rules, trades)
        if (each.is_late and each.tick.venue in rules.quoted) or is_decided(rules, each, trades, quotes)
    }


def is_decided(rules: JoinRules, each: Accepted, trades: Log, quotes: Log) -> bool:
    logs = [trades, quotes] if each.tick.venue in rules.quoted else [trades]
    return all(
        each.tick.event_time_ns < clocks_of(log.events).get(each.tick.venue, LONG_AGO)
        or log.latest_ms > each.appended_ms + CLOCK_AWAY_MS
        for log in logs
    )


def clocks_of(events: Sequence[TradeEvent | QuoteEvent]) -> dict[str, int]:
    clocks: dict[str, int] = {}
    for event in events:
        if isinstance(event, Clock):
            clocks[event.venue] = max(clocks.get(event.venue, LONG_AGO), event.time_ns)
    return clocks


def accepted_quotes(rules: JoinRules, quotes: Log) -> Iterator[tuple[Quote, int]]:
    """Each with when the log had taken it."""
    for place, event in enumerate(quotes.events):
        if isinstance(event, Quote) and event.venue in rules.quoted and is_sound_quote(rules, event):
            clock_ns = clocks_of(quotes.events[:place]).get(event.venue, LONG_AGO)
            if event.event_time_ns >= clock_ns:
                yield event, quotes.taken_ms(place)


def is_sound_quote(rules: JoinRules, quote: Quote) -> bool:
    sides = [side for side in (quote.bid, quote.ask) if side is not None]
    is_positive = all(price > 0 and size > 0 for price, size in sides)
    return is_positive and quote.event_time_ns - quote.receive_time_ns <= rules.max_ahead_ns


def accepted_trades(rules: JoinRules, trades: Log) -> Iterator[Accepted]:
    known: list[Tick] = []
    for place, event in enumerate(trades.events):
        if not isinstance(event, Tick) or event.event_time_ns - event.receive_time_ns > rules.max_ahead_ns:
            continue
        clock_ns = clocks_of(trades.events[:place]).get(event.venue, LONG_AGO)
        if event.event_time_ns // rules.base_ns * rules.base_ns < clock_ns - rules.horizon_ns:
            continue
        if any(is_same(each, event) and is_remembered(rules, each, clock_ns) for each in known):
            continue
        if event.action == "correct" and gives_id(rules, event, known, clock_ns):
            known.append(replace(event, action="trade"))
        known.append(event)
        time_ns = event.event_time_ns
        appended_ms = trades.taken_ms(place)
        yield Accepted(event, appended_ms, time_ns < clock_ns - rules.quote_horizon_ns, time_ns < clock_ns)


def is_same(one: Tick, other: Tick) -> bool:
    """A trade is known by its id; what corrects or cancels one by all that it says."""
    if {one.action, other.action} == {"trade"}:
        return (one.venue, one.instrument, one.trade_id) == (other.venue, other.instrument, other.trade_id)
    return replace(one, offset=other.offset) == other


def gives_id(rules: JoinRules, correction: Tick, known: Sequence[Tick], clock_ns: int) -> bool:
    """Whether a correction gives a trade that came an id that no trade has."""
    ids = {
        each.trade_id
        for each in known
        if each.action == "trade"
        and (each.venue, each.instrument) == (correction.venue, correction.instrument)
        and is_remembered(rules, each, clock_ns)
    }
    return correction.refers_to in ids and correction.trade_id not in ids


def is_remembered(rules: JoinRules, tick: Tick, clock_ns: int) -> bool:
    """Ids are forgotten by the minute, once no trade of that minute could be accepted."""
    return tick.event_time_ns // ID_BUCKET_NS * ID_BUCKET_NS + ID_BUCKET_NS > clock_ns - rules.horizon_ns


def fields_of(rules: JoinRules, each: Accepted, quotes: Sequence[tuple[Quote, int]]) -> Fields:
    tick = each.tick
    is_late = each.is_late and tick.venue in rules.quoted
    found = None if is_late or tick.action == "cancel" else as_of(rules, each, quotes)
    bid, ask = (None, None) if found is None else (found.bid, found.ask)
    match = "late" if is_late else "none" if found is None else "quoted" if bid and ask else "one_sided"
    spread = spread_of(tick, bid[0], ask[0]) if bid and ask else None
    paid = spread_of(tick, bid[0], ask[0], signed=True) if bid and ask and tick.aggressor != "unknown" else None
    return {
        "venue": tick.venue,
        "instrument": tick.instrument,
        "trade_id": tick.trade_id,
        "price": tick.price,
        "size": tick.size,
        "aggressor": tick.aggressor,
        "event_time_ns": tick.event_time_ns,
        "action": tick.action,
        "refers_to": tick.refers_to,
        "match": match,
        "bid_price": bid and bid[0],
        "bid_size": bid and bid[1],
        "ask_price": ask and ask[0],
        "ask_size": ask and ask[1],
        "quote_time_ns": found and found.event_time_ns,
        "quote_offset": None if found is None else found.offset,
        "effective_spread": spread,
        "signed_effective_spread": paid,
        "seq": tick.offset,
    }


def as_of(rules: JoinRules, each: Accepted, quotes: Sequence[tuple[Quote, int]]) -> Quote | None:
    tick = each.tick
    longest_before_ms = rules.max_quote_age_ns // MILLISECOND_NS + CLOCK_AWAY_MS
    earlier = [
        quote
        for quote, appended_ms in quotes
        if (quote.venue, quote.instrument) == (tick.venue, tick.instrument)
        and tick.event_time_ns - rules.max_quote_age_ns <= quote.event_time_ns <= tick.event_time_ns
        and each.appended_ms - longest_before_ms <= appended_ms <= each.appended_ms + CLOCK_AWAY_MS
    ]
    return max(earlier, key=lambda quote: quote.order, default=None)


def spread_of(tick: Tick, bid: Decimal, ask: Decimal, *, signed: bool = False) -> Decimal:
    """Twice the distance from the middle of bid and ask; signed, what the aggressor paid."""
    mid = EXACT.divide(EXACT.add(bid, ask), Decimal(2))
    over = EXACT.multiply(Decimal(2), EXACT.subtract(tick.price, mid))
    if not signed:
        return abs(over)
    return over if tick.aggressor == "buy" else -over
