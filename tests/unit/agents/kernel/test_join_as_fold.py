"""Of one log the join accepts the trades that the fold accepts: of a venue that counts anew, and corrected ones."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.agents.kernel.bar_oracle import Clock, Rules
from tests.unit.agents.kernel.join_kit import JoinedPartition, batch_of
from tests.unit.agents.kernel.join_oracle import JoinRules, Tick, TradeEvent
from tests.unit.agents.kernel.partition_kit import NOON, SECOND, Partition
from tests.unit.agents.kernel.record_sets import NONE
from tests.unit.agents.kernel.test_join_by_hand import as_of_3
from tests.unit.agents.kernel.test_join_equals_oracle import Step, run, steps

HORIZON_NS = 300 * SECOND
CONTIGUOUS = frozenset({"binance"})
RULES = Rules((("1s", SECOND), ("1m", 60 * SECOND)), 0, 0, HORIZON_NS, SECOND, contiguous=CONTIGUOUS)
JOIN_RULES = JoinRules(SECOND, HORIZON_NS, 60 * SECOND, 60 * SECOND, SECOND, frozenset(), CONTIGUOUS)
ONE = Decimal(1)


def tick(offset: int, trade_id: str, at_ns: int) -> Tick:
    return Tick(offset, "binance", "BTC-USDT", trade_id, ONE, ONE, "buy", at_ns, at_ns)


def correction(offset: int, of: Tick, trade_id: str) -> Tick:
    return replace(of, offset=offset, price=Decimal(2), action="correct", refers_to=of.trade_id, trade_id=trade_id)


@st.composite
def logs(draw: st.DrawFn, kinds: tuple[str, ...]) -> list[TradeEvent]:
    """Trades in about the order of their numbers, some of which come again, and what else is said."""
    now_ns, number = NOON, 5
    events: list[TradeEvent] = []
    for offset in range(draw(st.integers(0, 40))):
        now_ns += draw(st.sampled_from([0, 1, SECOND, 7 * SECOND, 70 * SECOND]))
        kind = draw(st.sampled_from(["next"] * 5 + ["early", "again", "clock", *kinds]))
        trades = [event for event in events if isinstance(event, Tick) and event.action == "trade"]
        recent = [trade for trade in trades if trade.event_time_ns > now_ns - 100 * SECOND]
        if kind == "anew":
            now_ns += 61 * SECOND
            number = draw(st.integers(0, number))
        if kind == "clock":
            events.append(Clock(offset, "binance", now_ns))
        elif kind == "correct" and recent:
            of = draw(st.sampled_from(recent))
            events.append(correction(offset, of, draw(st.sampled_from([of.trade_id, f"c{number}", str(number + 1)]))))
        elif kind == "again" and trades:
            again = draw(
                st.sampled_from([*trades, *(tick(offset, f"c{number}", each.event_time_ns) for each in recent)])
            )
            events.append(replace(again, offset=offset))
        elif kind == "early":
            events.append(tick(offset, str(max(number - draw(st.integers(1, 3)), 0)), now_ns - SECOND))
        else:
            number += draw(st.sampled_from([1, 1, 1, 2, 4]))
            events.append(tick(offset, str(number), now_ns))
    return [*events, Clock(len(events), "binance", now_ns + SECOND)]


# Each by itself: a number that a correction gives to a trade may be one of the count before as well.
@settings(max_examples=300)
@given(logs(("anew",)) | logs(("correct", "correct")), steps)
def test_the_join_accepts_the_trades_that_the_fold_accepts(log: list[TradeEvent], plan: list[Step]) -> None:
    fold = Partition(RULES)
    accepted = [event.offset for event in log if fold.fold(batch_of([event], NONE))["trades"]]
    partition = JoinedPartition(JOIN_RULES, log, [])
    run(partition, plan)
    assert sorted(fields["seq"] for fields in partition.joined if fields["action"] == "trade") == accepted


ANEW = [*(tick(n, str(1_001 + n), NOON + n * SECOND) for n in range(3)), tick(3, "1001", NOON + 125 * SECOND)]
FIRST = tick(0, "7", NOON)
GIVEN_ANOTHER_ID = [FIRST, correction(1, FIRST, "7a"), tick(2, "7a", NOON)]


@pytest.mark.parametrize(("trades", "accepted"), [(ANEW, [0, 1, 2, 3]), (GIVEN_ANOTHER_ID, [0])])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_trade_is_known_by_its_id_and_by_what_its_venue_does_with_ids(
    trades: list[Tick], accepted: list[int], *, is_restarted: bool
) -> None:
    partition = JoinedPartition(JOIN_RULES, [*trades, Clock(len(trades), "binance", NOON + 200 * SECOND)], [])
    partition.take_trades(len(trades) - 1, NONE)
    partition.flush()
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    partition.take_all()
    assert [fields["seq"] for fields in partition.joined if fields["action"] == "trade"] == accepted


def test_ids_in_the_state_of_a_release_before_are_known_whatever_their_venue_does_with_ids() -> None:
    trades: list[TradeEvent] = [*ANEW[:3], replace(ANEW[0], offset=3), Clock(4, "binance", NOON + 200 * SECOND)]
    partition = JoinedPartition(replace(JOIN_RULES, contiguous=frozenset()), trades, [])
    partition.take_trades(3, NONE)
    partition.flush()
    *ids, (key, progress) = partition.changelog
    partition.changelog = [*ids, (key, as_of_3(progress))]
    partition.crash_and_restore(is_compacted=True, rules=JOIN_RULES)
    partition.take_all()
    assert [fields["seq"] for fields in partition.joined] == [0, 1, 2]
