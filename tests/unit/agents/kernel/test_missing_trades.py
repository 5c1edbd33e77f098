"""A bar says how many trades are missing from it, where the venue's ids can tell, and a trade that comes after all
takes one away."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.agents.kernel.bar_oracle import Clock, Correction, Event, Rules, Tape, Trade
from tests.unit.agents.kernel.partition_kit import (
    NOON,
    SECOND,
    Partition,
    a_clock,
    a_trade,
    read_bar,
    read_live,
    records_of,
    trade_value,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

MINUTES = Rules(
    (("1s", SECOND), ("1m", 60 * SECOND)),
    out_of_order_ns=SECOND,
    grace_ns=SECOND,
    horizon_ns=600 * SECOND,
    max_ahead_ns=SECOND,
    contiguous=frozenset({"binance"}),
)


prices = st.integers(1, 9).map(Decimal)


def folded(events: Sequence[Event], rules: Rules = MINUTES) -> Partition:
    partition = Partition(rules)
    partition.fold(record_batch(0, records_of(events)))
    partition.flush()
    return partition


def missing(partition: Partition, interval: str) -> dict[float, list[int | None]]:
    """By the window's start in seconds after noon: what each publication of the bar said."""
    said: dict[float, list[int | None]] = {}
    for key, value in partition.bars:
        bar = read_bar(key, value)
        if bar.window.interval == interval:
            said.setdefault((bar.window.start_ns - NOON) / SECOND, []).append(bar.missing)
    return said


def test_ids_between_two_trades_are_missing_from_every_window_that_the_two_span() -> None:
    partition = folded([a_trade(0, 10.5, trade_id="100"), a_trade(1, 70.5, trade_id="104"), a_clock(2, 200)])
    assert missing(partition, "1m") == {0: [3], 60: [3]}
    assert missing(partition, "1s") == {10: [3], 70: [3]}


def test_a_gap_inside_of_one_window_is_missing_from_it_once() -> None:
    partition = folded([a_trade(0, 10.1, trade_id="7"), a_trade(1, 12.5, trade_id="9"), a_clock(2, 200)])
    assert missing(partition, "1m") == {0: [1]}
    assert missing(partition, "1s") == {10: [1], 12: [1]}


def test_a_trade_that_fills_a_gap_takes_one_away_from_every_bar_that_it_was_missing_from() -> None:
    partition = folded([a_trade(0, 10, trade_id="7"), a_trade(1, 70, trade_id="9"), a_clock(2, 200)])
    partition.fold(record_batch(3, records_of([a_trade(3, 30, trade_id="8")])))
    partition.flush()
    assert missing(partition, "1m") == {0: [1, 0], 60: [1, 0]}
    assert missing(partition, "1s") == {10: [1, 0], 70: [1, 0], 30: [0]}


def test_before_the_first_trade_that_ever_came_nothing_is_missing() -> None:
    assert missing(folded([a_trade(0, 1, trade_id="1000"), a_clock(1, 90)]), "1m") == {0: [0]}


OLD: list[Event] = [
    a_trade(0, 1, trade_id="4000000"),
    a_trade(1, 2, trade_id="4000002"),
    a_trade(2, 3, trade_id="5000000"),
]
ANEW: list[Event] = [a_trade(3, 64, trade_id="1"), a_trade(4, 65, trade_id="2"), a_trade(5, 66, trade_id="4")]


def test_a_venue_that_counts_anew_goes_on_and_nothing_is_missing_between_its_numbers() -> None:
    partition = folded([*OLD, *ANEW, a_clock(6, 200)])
    gap = 5_000_000 - 4_000_002 - 1
    assert missing(partition, "1s") == {1: [1], 2: [1 + gap], 3: [gap], 64: [0], 65: [1], 66: [1]}
    assert missing(partition, "1m") == {0: [1 + gap], 60: [1]}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_trades_of_before_a_venue_counted_anew_and_since_are_known_when_they_come_again(*, is_restarted: bool) -> None:
    partition = folded([*OLD, *ANEW])
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    counts = partition.fold(record_batch(6, records_of([*OLD, *ANEW])))
    assert (counts["duplicates"], counts["trades"]) == (6, 0)
    between = [a_trade(12, 2.5, trade_id="4000001"), a_trade(13, 65.5, trade_id="3"), a_trade(14, 70, trade_id="5")]
    counts = partition.fold(record_batch(12, records_of([*between, a_clock(15, 200)])))
    partition.flush()
    assert counts["trades"] == 3
    gap = 5_000_000 - 4_000_002 - 1
    assert missing(partition, "1m") == {0: [gap + 1, gap], 60: [0]}


FIVE_MINUTES = replace(MINUTES, intervals=(("1s", SECOND), ("5m", 300 * SECOND)))


def ordered(events: Sequence[Event]) -> list[Event]:
    """The same, the venue's ids being its order as well."""
    return [replace(event, trade_seq=int(event.trade_id)) if isinstance(event, Trade) else event for event in events]


def ends(partition: Partition, interval: str) -> list[tuple[str, str]]:
    """First and last trade of the newest publication of each bar, by its start."""
    bars = [read_bar(key, value) for key, value in partition.bars]
    newest = {bar.window.start_ns: bar for bar in bars if bar.window.interval == interval}
    return [(bar.first_trade_id, bar.last_trade_id) for _, bar in sorted(newest.items())]


def forming_ends(partition: Partition, interval: str) -> tuple[str, str]:
    """First and last trade of the interval's one bar that still forms."""
    live = read_live(partition.live_all()[b"binance:BTC-USDT"])
    (bar,) = [bar for window, bar in live.items() if window.interval == interval]
    return bar["first_trade_id"], bar["last_trade_id"]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("rules", [FIVE_MINUTES, replace(MINUTES, intervals=(("5m", 300 * SECOND),))])
def test_a_bar_in_which_its_venue_counts_anew_opens_with_the_old_numbers_and_closes_with_the_new(
    rules: Rules, *, is_restarted: bool
) -> None:
    partition = folded(ordered([*OLD, *ANEW]), rules)
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    assert forming_ends(partition, "5m") == ("4000000", "4")
    more = [a_trade(6, 80, trade_id="5"), a_trade(7, 2.5, trade_id="4000001"), a_trade(8, 65.5, trade_id="3")]
    partition.fold(record_batch(6, records_of(ordered([*more, a_clock(9, 400)]))))
    partition.flush()
    assert ends(partition, "5m") == [("4000000", "5")]


@pytest.mark.parametrize("rules", [FIVE_MINUTES, replace(MINUTES, intervals=(("5m", 300 * SECOND),))])
def test_trades_that_come_late_find_their_place_before_and_behind_where_a_venue_counted_anew(rules: Rules) -> None:
    partition = folded(ordered([*OLD, *ANEW, a_clock(6, 400)]), rules)
    late = [
        a_trade(7, 0.5, trade_id="3999999"),
        a_trade(8, 20, trade_id="5000001"),
        a_trade(9, 65.5, trade_id="3"),
        a_trade(10, 67, trade_id="5"),
    ]
    for trade in late:
        partition.fold(record_batch(trade.offset, records_of(ordered([trade]))))
    partition.flush()
    assert ends(partition, "5m") == [("3999999", "5")]


@pytest.mark.parametrize("rules", [FIVE_MINUTES, replace(MINUTES, intervals=(("5m", 300 * SECOND),))])
def test_a_correction_leaves_a_bar_its_first_and_last_trade_where_its_venue_counted_anew(rules: Rules) -> None:
    partition = folded(ordered([*OLD, *ANEW, a_clock(6, 400)]), rules)
    gone = Correction(7, "binance", "BTC-USDT", "4", None, NOON)
    partition.fold(record_batch(7, records_of([gone])))
    partition.flush()
    assert ends(partition, "5m") == [("4000000", "2")]


@pytest.mark.parametrize("horizon_s", [2, 600])
def test_a_bar_opens_with_the_lowest_of_the_old_numbers_though_the_next_part_of_it_has_that_and_new_ones(
    horizon_s: int,
) -> None:
    """Once former numbers are forgotten the parts alone tell, as where they are kept."""
    lengths = (("1s", 1), ("1m", 60), ("5m", 300), ("10m", 600))
    intervals = tuple((name, length * SECOND) for name, length in lengths)
    old = [(299, "997"), (299.5, "1000"), (300.2, "996"), (301, "999")]
    trades = [a_trade(at, seconds, trade_id=number) for at, (seconds, number) in enumerate([*old, (400, "3")])]
    rules = replace(MINUTES, intervals=intervals, horizon_ns=horizon_s * SECOND)
    partition = folded(ordered([*trades, a_clock(5, 500)]), rules)
    assert forming_ends(partition, "10m") == ("996", "3")
    partition.take(a_clock(6, 700))
    assert ends(partition, "5m") == [("997", "1000"), ("996", "3")]
    assert ends(partition, "10m") == [("996", "3")]


def numbered(offset: int, seconds: float, number: int, price: str) -> Trade:
    return replace(a_trade(offset, seconds, price=price, trade_id=str(number)), trade_seq=number)


def corrected(offset: int, by: Trade) -> Correction:
    """What puts a trade in the place of the one of its number."""
    return Correction(offset, by.venue, by.instrument, by.trade_id, replace(by, offset=offset), by.event_time_ns)


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(
    ("times_s", "number", "to_s", "prices"),
    [
        ((0, 10, 20), 1, 85, ("11", "30")),
        ((0, 70, 140), 3, 0.5, ("10", "11")),
        ((0, 70, 140), 1, 71, ("11", "30")),
    ],
)
def test_a_trade_that_is_moved_far_keeps_its_place_in_the_venues_count(
    times_s: Sequence[int], number: int, to_s: float, prices: tuple[str, str], *, is_restarted: bool
) -> None:
    rules = replace(MINUTES, intervals=(("1s", SECOND), ("10m", 600 * SECOND)))
    trades = [numbered(at, time_s, at + 1, f"{at + 1}0") for at, time_s in enumerate(times_s)]
    partition = folded([*trades, corrected(3, numbered(3, to_s, number, "11"))], rules)
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    partition.fold(record_batch(4, records_of([a_clock(4, 700)])))
    partition.flush()
    (bar,) = [bar for bar in (read_bar(*record) for record in partition.bars) if bar.window.interval == "10m"]
    assert (bar.open, bar.close) == tuple(map(Decimal, prices))


TEN_AND_ONE_MUCH_LATER: list[Event] = [
    *(numbered(at, at + 1, at + 1, "10") for at in range(10)),
    numbered(10, 500, 11, "20"),
]


def renumbered(offset: int, number: int, by: Trade) -> Correction:
    return replace(corrected(offset, by), refers_to=str(number))


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(
    "events",
    [
        [renumbered(11, 1, numbered(11, 1, 12, "11"))],
        [
            renumbered(11, 1, numbered(11, 1, 12, "11")),
            renumbered(12, 2, numbered(12, 2, 14, "12")),
            numbered(13, 501, 13, "21"),
            numbered(14, 502, 15, "22"),
        ],
    ],
    ids=["the next number", "a number behind a gap"],
)
def test_a_correction_of_long_ago_that_has_a_number_of_now_begins_no_new_count(
    events: list[Event], *, is_restarted: bool
) -> None:
    partition = folded([*TEN_AND_ONE_MUCH_LATER, *events])
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    sent = [event for event in [*TEN_AND_ONE_MUCH_LATER, *events] if isinstance(event, Trade)]
    counts = partition.fold(record_batch(partition.next_offset, records_of(sent)))
    partition.take(a_clock(partition.next_offset, 900))
    assert (counts["duplicates"], counts["trades"]) == (len(sent), 0)
    assert {start_s: said[-1] for start_s, said in missing(partition, "1m").items()} == {0: 0, 480: 0}


def test_a_number_that_fills_a_gap_is_of_its_count_though_the_newest_trade_of_that_is_forgotten() -> None:
    rules = replace(MINUTES, intervals=(("1s", SECOND), ("10m", 600 * SECOND)), horizon_ns=10 * SECOND)
    not_by_time = [numbered(0, 30, 1, "10"), numbered(1, 29, 4, "10"), numbered(2, 90, 2, "10")]
    partition = folded([*not_by_time, a_clock(3, 105)], rules)
    partition.take(numbered(4, 100, 3, "10"), a_clock(5, 700))
    assert ends(partition, "10m") == [("1", "4")]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("newest", ["counts for volume alone", "is cancelled"])
def test_a_bar_closes_with_the_highest_number_whatever_came_behind_it_that_is_no_close(
    newest: str, *, is_restarted: bool
) -> None:
    lengths = (("1s", 1), ("1m", 60), ("5m", 300), ("15m", 900))
    conditions = {"binance": {"odd lot": ("volume",)}}
    intervals = tuple((name, length * SECOND) for name, length in lengths)
    partition = Partition(replace(MINUTES, intervals=intervals, conditions=conditions))
    over_the_edge = [numbered(0, 1, 8, "100"), numbered(1, 300.1, 9, "90"), numbered(2, 299.9, 10, "101")]
    last = numbered(3, 400, 11, "102")
    value = trade_value(last, conditions=["odd lot"] if newest == "counts for volume alone" else [])
    partition.fold(record_batch(0, [*records_of(over_the_edge), KafkaRecord(b"key", value)]))
    if newest == "is cancelled":
        partition.fold(record_batch(4, records_of([Correction(4, "binance", "BTC-USDT", "11", None, NOON)])))
    partition.flush()
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    partition.take(a_clock(partition.next_offset, 1_000))
    assert ends(partition, "15m") == [("8", "10")]


def test_a_lower_number_that_is_not_much_newer_is_of_the_same_count() -> None:
    partition = folded([a_trade(0, 1, trade_id="50"), a_trade(1, 61, trade_id="48"), a_clock(2, 200)])
    assert missing(partition, "1m") == {0: [1], 60: [1]}


def test_a_number_beyond_all_others_is_forgotten_after_a_minute() -> None:
    stray = a_trade(1, 2, trade_id=str(2**63 - 1))
    events = [a_trade(0, 1, trade_id="7"), stray, a_trade(2, 63, trade_id="8"), a_trade(3, 64, trade_id="9")]
    partition = folded([*events, a_clock(4, 200)])
    assert missing(partition, "1m") == {0: [2**63 - 1 - 8], 60: [0]}


def test_many_numbers_beyond_all_others_are_no_more_than_a_number_can_be() -> None:
    strays = [a_trade(2 * n + 1, 62 * n + 2, trade_id=str(2**63 - 1)) for n in range(4)]
    rules = replace(MINUTES, intervals=(*MINUTES.intervals, ("1h", 3600 * SECOND)))
    events = [event for n, stray in enumerate(strays) for event in (a_trade(2 * n, 62 * n + 1, trade_id="7"), stray)]
    assert missing(folded([*events, a_clock(8, 4000)], rules), "1h") == {0: [2**63 - 1]}


@pytest.mark.parametrize("gone", ["old", "new"])
def test_a_bar_has_the_trade_of_its_own_count_when_another_of_it_is_cancelled(gone: str) -> None:
    used_twice = [a_trade(0, 1, size="2", trade_id="5"), a_trade(1, 1.5, size="4", trade_id="6")]
    anew = [a_trade(2, 64, size="8", trade_id="5"), a_trade(3, 64.5, size="16", trade_id="old")]
    partition = folded([*used_twice, *anew, a_clock(4, 200)])
    refers_to = {"old": "6", "new": "old"}[gone]
    partition.fold(record_batch(5, records_of([Correction(5, "binance", "BTC-USDT", refers_to, None, NOON)])))
    partition.flush()
    bars = [read_bar(key, value) for key, value in partition.bars]
    volumes = {bar.window.start_ns: bar.volume for bar in bars if bar.window.interval == "1m"}
    wanted = {"old": (2, 24), "new": (6, 8)}[gone]
    assert volumes == {NOON: Decimal(wanted[0]), NOON + 60 * SECOND: Decimal(wanted[1])}


def test_a_venue_whose_ids_have_holes_of_their_own_is_never_said_to_be_complete() -> None:
    events: list[Event] = [
        Trade(0, "bitstamp", "BTC-USD", "7", None, Decimal(1), Decimal(1), NOON, NOON),
        Clock(1, "bitstamp", NOON + 90 * SECOND),
    ]
    assert missing(folded(events), "1m") == {0: [None]}


def test_a_forming_bar_says_it_too() -> None:
    partition = folded([a_trade(0, 1, trade_id="7"), a_trade(1, 2, trade_id="9")])
    (live,) = partition.live_all().values()
    assert {window.interval: bar["missing"] for window, bar in read_live(live).items()} == {"1s": 1, "1m": 1}


def test_a_forming_bar_is_a_newer_one_when_a_trade_of_another_window_shows_that_it_lacks_some() -> None:
    partition = folded([a_trade(0, 0.5, trade_id="7"), a_trade(1, 1.5, trade_id="9")])
    (live,) = partition.live_all().values()
    first = next(bar for window, bar in read_live(live).items() if (window.interval, window.start_ns) == ("1s", NOON))
    assert (first["missing"], first["last_offset"], first["seq"]) == (1, 0, 1)


@st.composite
def tapes(draw: st.DrawFn) -> list[Event]:
    """What a venue that numbers its trades sent, with some lost, some late and some twice; it may count anew."""
    now_ns = NOON
    number = begun_at = 1_000
    has_order = draw(st.booleans())
    sent: list[tuple[int, Trade]] = []
    for _ in range(draw(st.integers(1, 25))):
        now_ns += draw(st.sampled_from([0, 1, SECOND // 3, SECOND, 8 * SECOND, 45 * SECOND]))
        number += 1
        begins_anew = draw(st.integers(0, 7)) == 0
        if begins_anew:
            now_ns += draw(st.sampled_from([61, 300])) * SECOND
            number = begun_at = begun_at - draw(st.sampled_from([1, 3, 30]))
        seq = number if has_order else None
        trade = Trade(0, "binance", "BTC-USDT", str(number), seq, Decimal(2), Decimal(3), now_ns, now_ns)
        if begins_anew or not sent:
            sent.append((now_ns, trade))
        for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
            delay_ns = draw(st.sampled_from([0, 0, 0, 5 * SECOND, 100 * SECOND]))
            sent.append((now_ns + delay_ns, trade))
    tape: list[Event] = []
    for at_ns, trade in sorted(sent, key=lambda delivery: delivery[0]):
        tape.append(Trade(**{**trade.__dict__, "offset": len(tape)}))
        if draw(st.integers(0, 5)) == 0:
            tape.append(Clock(len(tape), "binance", at_ns - draw(st.integers(0, 3)) * SECOND))
    return tape


@given(
    old=st.permutations(range(1_000, 1_006)),
    new=st.permutations(range(1, 5)),
    lengths_s=st.sets(st.sampled_from([5, 60, 100, 300])),
    since_s=st.sampled_from([197, 199, 297, 299, 302]),
    horizon_s=st.sampled_from([2, 600]),
)
def test_by_any_tree_of_intervals_a_bar_opens_with_the_lowest_old_number_and_closes_with_the_highest_new_one(
    old: Sequence[int], new: Sequence[int], lengths_s: set[int], since_s: int, horizon_s: int
) -> None:
    intervals = tuple((f"{length_s}s", length_s * SECOND) for length_s in (1, *sorted(lengths_s), 600))
    times_s = [since_s + 0.4 * at for at in range(len(old))] + [since_s + 100 + 0.4 * at for at in range(len(new))]
    numbers = zip(times_s, [*old, *new], strict=True)
    trades = [a_trade(at, time_s, trade_id=str(number)) for at, (time_s, number) in enumerate(numbers)]
    clocks = [a_clock(len(trades), 500), a_clock(len(trades) + 1, 700)]
    rules = replace(MINUTES, intervals=intervals, horizon_ns=horizon_s * SECOND)
    assert ends(folded(ordered([*trades, *clocks]), rules), "600s") == [("1000", "4")]


@st.composite
def corrected_tapes(draw: st.DrawFn) -> list[Event]:
    """What a venue that numbers its trades on and on sent, some late or twice, and some moved far from where they were.

    A correction may have the number of what it corrects, or the next.
    """
    now_ns = NOON
    has_order = draw(st.booleans())
    events: list[Event] = []
    waiting: list[Trade] = []
    numbers = iter(range(1_000, 2_000))
    for offset in range(draw(st.integers(1, 30))):
        now_ns += draw(st.sampled_from([0, 1, SECOND // 3, SECOND, 8 * SECOND, 45 * SECOND, 70 * SECOND]))
        sent = [event for event in events if isinstance(event, Trade)]
        kind = draw(st.sampled_from(["trade"] * 4 + ["late", "again", "clock", "move", "move", "cancel"]))
        if kind == "clock":
            events.append(Clock(offset, "binance", now_ns - draw(st.integers(0, 3)) * SECOND))
        elif kind in ("move", "cancel") and sent:
            of = draw(st.sampled_from(sent))
            to_ns = of.event_time_ns + draw(st.sampled_from([-200, -1, 0, 1, 65, 85, 300])) * SECOND
            number = draw(st.just(of.trade_id) | st.builds(lambda: str(next(numbers))))
            seq = draw(st.sampled_from([of.trade_seq, None, int(number) if has_order else None]))
            by = replace(of, price=draw(prices), event_time_ns=to_ns, receive_time_ns=to_ns, trade_seq=seq)
            moved = renumbered(offset, int(of.trade_id), replace(by, trade_id=number))
            events.append(moved if kind == "move" else replace(moved, by=None, event_time_ns=now_ns))
        elif kind == "again" and sent:
            events.append(replace(draw(st.sampled_from(sent)), offset=offset))
        elif kind == "late" and waiting:
            events.append(replace(waiting.pop(), offset=offset))
        else:
            for is_late in (*[True] * draw(st.sampled_from([0, 0, 0, 1])), False):
                trade = numbered(offset, 0, next(numbers), str(draw(prices)))
                seq = trade.trade_seq if has_order else None
                trade = replace(trade, trade_seq=seq, event_time_ns=now_ns, receive_time_ns=now_ns)
                (waiting if is_late else events).append(trade)
    return [*events, Clock(len(events), "binance", now_ns + 1_000 * SECOND)]


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    return Rules(
        (("1s", SECOND), ("5s", 5 * SECOND), ("1m", 60 * SECOND), ("10m", 600 * SECOND)),
        out_of_order_ns=draw(st.sampled_from([0, 2 * SECOND])),
        grace_ns=draw(st.sampled_from([0, SECOND])),
        horizon_ns=draw(st.sampled_from([0, 10 * SECOND, 600 * SECOND])),
        max_ahead_ns=SECOND,
        contiguous=frozenset({"binance"}),
    )


@given(rules(), tapes())
@settings(max_examples=200)
def test_every_publication_says_what_a_count_of_all_ids_says(rules: Rules, events: list[Event]) -> None:
    partition = Partition(rules)
    tape = Tape(rules)
    for event in events:
        partition.fold(record_batch(event.offset, records_of([event])))
        partition.flush()
        tape.take(event)
        published = [read_bar(key, value) for key, value in partition.bars]
        assert {bar.window: bar for bar in published} == tape.last_published()


@given(rules(), tapes(), st.data())
@settings(max_examples=100)
def test_a_crash_at_any_record_changes_nothing(rules: Rules, events: list[Event], data: st.DataObject) -> None:
    partition = Partition(rules)
    while partition.next_offset < len(events):
        count = data.draw(st.integers(1, 6))
        first = partition.next_offset
        partition.fold(record_batch(first, records_of(events[first : first + count])))
        match data.draw(st.sampled_from(["flush", "flush", "crash", "nothing"])):
            case "flush":
                partition.flush()
            case "crash":
                partition.crash_and_restore(is_compacted=data.draw(st.booleans()))
    partition.flush()
    bars = {bar.window: bar for bar in (read_bar(key, value) for key, value in partition.bars)}
    assert bars == Tape(rules).take_all(events).last_published()


@given(rules=rules(), events=corrected_tapes(), is_restarted=st.booleans())
@settings(max_examples=200)
def test_corrections_that_move_trades_far_leave_the_venues_count_as_it_is(
    rules: Rules, events: list[Event], *, is_restarted: bool
) -> None:
    partition = Partition(rules)
    for event in events:
        partition.fold(record_batch(event.offset, records_of([event])))
        partition.flush()
        if is_restarted:
            partition.crash_and_restore(is_compacted=True)
    bars = {bar.window: bar for bar in (read_bar(key, value) for key, value in partition.bars)}
    assert bars == Tape(rules).take_all(events).last_published()
