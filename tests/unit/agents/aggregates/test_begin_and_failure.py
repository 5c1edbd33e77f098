"""When an aggregate begins, begins anew, and fails: never a wrong number."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, NoReturn

import pytest

from agents.aggregates import AggregateFailed
from agents.aggregates.changelog import UnknownState
from app.aggregates import Aggregate, Amount, Declared, Integer, Text, Trades, declared
from app.units import MILLISECOND_NS
from tests.unit.agents.aggregates.aggregate_kit import PATH, VWAP, AggregatePartition
from tests.unit.agents.kernel.bar_oracle import Correction, Event, Rules
from tests.unit.agents.kernel.partition_kit import NOON, SECOND, a_clock, a_trade, records_in, records_of
from tests.unit.agents.kernel.record_sets import LOG_APPEND_TIME, record_batch

RULES = Rules((("1s", SECOND), ("5s", 5 * SECOND)), 0, 0, 60 * SECOND, SECOND)


@dataclass(frozen=True)
class Count(Aggregate):
    """Number of trades; can be told to go wrong."""

    name = "count"
    trades: Annotated[int, Integer("Number of trades.")] = 0
    goes_wrong: ClassVar[str] = ""

    def fold(self, trades: Trades) -> "Count":
        if self.goes_wrong == "fold":
            raise ZeroDivisionError("price of nothing")
        if self.goes_wrong == "type":
            return Count(float(len(trades)))  # type: ignore[arg-type]  # that is what goes wrong
        return type(self)(self.trades + len(trades))

    def merge(self, later: "Count") -> "Count":
        if self.goes_wrong == "merge":
            return None  # type: ignore[return-value]  # that is what goes wrong
        return type(self)(self.trades + later.trades)


@dataclass(frozen=True)
class CountTwice(Count):
    """Declared anew with another version."""

    version = 2


COUNT = declared(Count)


def take(partition: AggregatePartition, *events: Event) -> None:
    partition.fold(record_batch(partition.next_offset, records_of(events)))


def take_and_flush(partition: AggregatePartition, *events: Event) -> None:
    take(partition, *events)
    partition.flush()


def windows(partition: AggregatePartition, of: Declared = COUNT) -> list[tuple[str, int, int]]:
    """Window, revision and count of each record."""
    return [
        (key.decode().removeprefix("binance:BTC-USDT:"), fields["revision"], fields["trade_count"])
        for key, fields in partition.windows(of)
    ]


def after(partition: AggregatePartition, of: Sequence[Declared]) -> AggregatePartition:
    """The partition's next owner, who has these aggregates."""
    partition.of = of
    partition.crash_and_restore(is_compacted=True)
    return partition


def noon(seconds: int, interval: str = "1s") -> str:
    return f"{interval}:{(1_700_049_600 + seconds) * SECOND}"


def test_a_window_that_was_forming_when_the_aggregate_began_is_not_published() -> None:
    partition = AggregatePartition(RULES, [VWAP])
    take(partition, a_trade(0, 0), a_trade(1, 1))
    partition.flush()
    partition = after(partition, [VWAP, COUNT])
    take(partition, a_trade(2, 1.5), a_trade(3, 2), a_trade(4, 5), a_clock(5, 10))
    partition.flush()
    assert windows(partition) == [(noon(2), 0, 1), (noon(5), 0, 1), (noon(5, "5s"), 0, 1)]
    assert (noon(1), 0, 2) in windows(partition, VWAP)
    assert (noon(0, "5s"), 0, 4) in windows(partition, VWAP)


def test_a_window_that_the_log_may_have_lost_trades_of_is_not_published() -> None:
    partition = AggregatePartition(RULES, [COUNT])
    partition._fold.lacks_beginning()
    appended_ms = a_trade(0, 0).event_time_ns // MILLISECOND_NS
    first = records_of([a_trade(0, 0), a_trade(1, 2)])
    partition.fold(record_batch(0, first, flags=LOG_APPEND_TIME, base_timestamp_ms=appended_ms))
    partition.flush()
    partition = after(partition, [COUNT])
    take_and_flush(partition, a_trade(2, 2.5), a_trade(3, 5), a_clock(4, 20))
    assert windows(partition) == [(noon(2), 0, 2), (noon(5), 0, 1), (noon(5, "5s"), 0, 1)]


@pytest.mark.parametrize("between", [[VWAP], []])
def test_what_a_worker_without_the_aggregate_folded_is_never_missing_from_a_window(between: list[Declared]) -> None:
    partition = AggregatePartition(RULES, [COUNT])
    take(partition, a_trade(0, 0))
    partition.flush()
    partition = after(partition, between)
    take(partition, a_trade(1, 0.5))
    if between:
        partition.flush()
    else:
        partition.changelog += records_in(partition._fold.take_flush().changelog)
    partition = after(partition, [COUNT])
    take(partition, a_trade(2, 0.7), a_trade(3, 5), a_clock(4, 10))
    partition.flush()
    assert windows(partition) == [(noon(5), 0, 1), (noon(5, "5s"), 0, 1)]


def test_another_version_begins_anew_and_the_old_state_is_deleted() -> None:
    twice = declared(CountTwice)
    partition = AggregatePartition(RULES, [COUNT])
    take(partition, a_trade(0, 0), a_trade(1, 1))
    partition.flush()
    old = {key for key, value in partition.state if b'"window"' in key}
    partition = after(partition, [twice])
    take(partition, a_trade(2, 5), a_clock(3, 10))
    partition.flush()
    before = [(noon(0), 0, 1)]
    assert windows(partition, twice) == [*before, (noon(5), 0, 1), (noon(5, "5s"), 0, 1)]
    assert {key for key, value in dict(partition.state).items() if value is None} == old


def test_an_aggregate_that_is_declared_no_more_leaves_nothing_behind() -> None:
    partition = AggregatePartition(RULES, [COUNT, VWAP])
    take(partition, a_trade(0, 0))
    partition.flush()
    partition = after(partition, [VWAP])
    take(partition, a_clock(1, 0))
    partition.flush()
    assert not [key for key, value in dict(partition.state).items() if value is not None and b'"count"' in key]


def test_nothing_is_forgotten_over_many_restarts() -> None:
    partition = AggregatePartition(RULES, [PATH])
    for offset in range(10):
        take(partition, a_trade(offset, offset / 2))
        partition.flush()
        partition.crash_and_restore(is_compacted=bool(offset % 2))
    take(partition, a_clock(10, 60))
    partition.flush()
    (whole,) = [fields for key, fields in partition.windows(PATH) if b":5s:" in key]
    assert [part.partition("=")[0] for part in whole["offsets"].split(";")[:-1]] == list(map(str, range(10)))


INTERVALS = (("1s", SECOND), ("5s", 5 * SECOND), ("1m", 60 * SECOND), ("5m", 300 * SECOND))
PATIENT = Rules(INTERVALS, 60 * SECOND, 0, 120 * SECOND, SECOND)


@pytest.mark.parametrize("less", [replace(PATIENT, horizon_ns=60 * SECOND), replace(PATIENT, out_of_order_ns=0)])
def test_a_worker_that_is_less_patient_has_every_trade_of_the_windows_that_are_still_open(less: Rules) -> None:
    """It lets go at once of trades that the one before it kept, and of the windows that they are of."""
    partition = AggregatePartition(PATIENT, [PATH])
    take_and_flush(partition, *(a_trade(offset, offset * 2) for offset in range(100)))
    partition.come_back(less)
    assert not partition.has_bar("binance", "BTC-USDT", 1, NOON + 55 * SECOND)
    take_and_flush(partition, a_trade(100, 200), a_clock(101, 600))
    paths = {key.decode(): fields["offsets"] for key, fields in partition.windows(PATH)}
    assert paths[f"binance:BTC-USDT:{noon(0, '5m')}"].count("=") == 101

    kept = [key for key, value in dict(partition.state).items() if value is not None and b'"window"' in key]
    assert kept == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("fold", r"aggregate count: fold of binance:BTC-USDT, 1s window \d+: ZeroDivisionError: price of nothing"),
        ("merge", r"aggregate count: merge into binance:BTC-USDT, 5s window \d+: it must give a Count"),
        ("type", r"aggregate count: binance:BTC-USDT, 1s window \d+: trades must be int, and is float: 2.0"),
    ],
)
def test_a_failure_says_which_aggregate_where_and_why(monkeypatch: pytest.MonkeyPatch, wrong: str, told: str) -> None:
    monkeypatch.setattr(Count, "goes_wrong", wrong)
    partition = AggregatePartition(RULES, [COUNT])
    with pytest.raises(AggregateFailed, match=told) as failed:
        take_and_flush(partition, a_trade(0, 0), a_trade(1, 0.5), a_trade(2, 1), a_clock(3, 9))
    assert failed.value.aggregate == "count"


class Panic(BaseException):
    """As a library in Rust panics: what it raises is no Exception."""


def raising(error: type[BaseException]) -> Callable[..., NoReturn]:
    def raise_it(*_: object, **__: object) -> NoReturn:
        raise error("a bug of the user's")

    return raise_it


def close_windows(partition: AggregatePartition) -> None:
    take_and_flush(partition, a_trade(1, 0.5), a_trade(2, 1), a_clock(3, 9))


def restore(partition: AggregatePartition) -> None:
    partition.crash_and_restore(is_compacted=False)


@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError, GeneratorExit, Panic])
@pytest.mark.parametrize(
    ("method", "act", "told"),
    [
        ("fold", close_windows, r"fold of binance:BTC-USDT, 1s window \d+"),
        ("merge", close_windows, r"merge into binance:BTC-USDT, 5s window \d+"),
        ("__init__", restore, "its state in the changelog cannot be restored"),
    ],
)
def test_whatever_an_aggregate_raises_is_its_failure(
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    act: Callable[[AggregatePartition], None],
    told: str,
    error: type[BaseException],
) -> None:
    partition = AggregatePartition(RULES, [COUNT])
    take_and_flush(partition, a_trade(0, 0))
    monkeypatch.setattr(Count, method, raising(error))
    with pytest.raises(AggregateFailed, match=rf"aggregate count: {told}: {error.__name__}: a bug of the user's"):
        act(partition)


def test_who_interrupts_a_test_of_an_aggregate_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Count, "fold", raising(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        take(AggregatePartition(RULES, [COUNT]), a_trade(0, 0))


def test_an_amount_of_too_many_digits_is_an_error() -> None:
    @dataclass(frozen=True)
    class Huge(Aggregate):
        """A sum that outgrows its field."""

        name = "huge"
        volume: Annotated[int, Amount("Sum of the sizes.", precision=18)] = 0

        def fold(self, trades: Trades) -> "Huge":
            return Huge(self.volume + sum(trades.sizes))

        def merge(self, later: "Huge") -> "Huge":
            return Huge(self.volume + later.volume)

    partition = AggregatePartition(RULES, [declared(Huge)])
    take(partition, a_trade(0, 0, size="0.5"))
    partition.flush()
    take(partition, a_trade(1, 0, size="0.5"))
    with pytest.raises(AggregateFailed, match="volume: 1000000000000000000 has more than 18 digits"):
        partition.flush()


def test_an_amount_of_more_digits_than_python_is_set_to_make_text_of_is_an_error(few_digits: int) -> None:
    @dataclass(frozen=True)
    class Long(Aggregate):
        """An amount that is as long as its field."""

        name = "long"
        product: Annotated[int, Amount("A long amount.", precision=4_000)] = 0

        def fold(self, trades: Trades) -> "Long":
            return Long(self.product + len(trades) * 10**few_digits)

        def merge(self, later: "Long") -> "Long":
            return later

    partition = AggregatePartition(RULES, [declared(Long)])
    take(partition, a_trade(0, 0))
    with pytest.raises(AggregateFailed, match=r"aggregate long: binance:BTC-USDT, 1s window \d+: ValueError"):
        partition.flush()


@pytest.fixture
def few_digits() -> Iterator[int]:
    """The fewest digits that Python can be set to make text of, which it is."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(sys.int_info.str_digits_check_threshold)
    yield sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(before)


def test_a_text_that_is_no_unicode_is_an_error() -> None:
    @dataclass(frozen=True)
    class Quoted(Aggregate):
        """A text that was decoded carelessly."""

        name = "quoted"
        says: Annotated[str, Text("What somebody says.")] = ""

        def fold(self, trades: Trades) -> "Quoted":
            return Quoted(self.says + "\udc80" * len(trades))

        def merge(self, later: "Quoted") -> "Quoted":
            return Quoted(self.says + later.says)

    partition = AggregatePartition(RULES, [declared(Quoted)])
    with pytest.raises(AggregateFailed, match="says: a text has a surrogate in it"):
        take_and_flush(partition, a_trade(0, 0), a_clock(1, 9))


def test_a_field_may_be_called_as_what_the_kernel_says_of_a_bar_beside_its_record() -> None:
    @dataclass(frozen=True)
    class Depth(Aggregate):
        """Fields of the user's own that no record has besides."""

        name = "depth"
        level: Annotated[int, Integer("A level of the user's own.")] = 0
        first_offset: Annotated[int, Integer("An offset of the user's own.")] = 0

        def fold(self, trades: Trades) -> "Depth":
            return Depth(self.level + 700 * len(trades), 800)

        def merge(self, later: "Depth") -> "Depth":
            return Depth(self.level + later.level, 800)

    depth = declared(Depth)
    partition = AggregatePartition(RULES, [depth])
    take_and_flush(partition, a_trade(0, 0), a_trade(1, 0.5), a_clock(2, 9))
    assert [(fields["level"], fields["first_offset"]) for _, fields in partition.windows(depth)] == [(1400, 800)] * 2


def test_a_window_whose_trades_were_all_cancelled_is_published_as_no_trade_and_forgotten() -> None:
    partition = AggregatePartition(RULES, [COUNT])
    take(partition, a_trade(0, 0), a_trade(1, 7), a_clock(2, 20))
    partition.flush()
    take(partition, Correction(3, "binance", "BTC-USDT", "0", None, a_trade(0, 0).event_time_ns))
    partition.flush()
    (first, second) = [fields for key, fields in partition.windows(COUNT) if key.endswith(noon(0).encode())]
    assert [(each["trades"], each["trade_count"], each["revision"]) for each in (first, second)] == [
        (1, 1, 0),
        (0, 0, 1),
    ]
    kept = [key for key, value in dict(partition.state).items() if value is not None and b'"window"' in key]
    assert len(kept) == 1


def test_state_of_another_format_is_refused() -> None:
    partition = AggregatePartition(RULES, [COUNT])
    partition.state.append((b'[2,"progress"]', b'[2,"x",1]'))
    with pytest.raises(UnknownState, match="format version 2"):
        partition.crash_and_restore(is_compacted=False)
