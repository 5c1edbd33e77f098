"""By which rules of its venue a trade counted: a state is not gone on with by others."""

import re
from dataclasses import replace

import pytest

from agents.kernel import CorruptState
from tests.unit.agents.kernel.bar_oracle import Rules
from tests.unit.agents.kernel.partition_kit import SECOND, Partition, a_clock, a_trade

RULES_KEY = b"\1R"
RULES = Rules((("1s", SECOND),), out_of_order_ns=SECOND, grace_ns=SECOND, horizon_ns=60 * SECOND, max_ahead_ns=SECOND)
CONTIGUOUS = replace(RULES, contiguous=frozenset({"binance"}))
ODD_LOTS = replace(RULES, conditions={"binance": {"odd-lot": ("volume",)}})
OTHERS = replace(RULES, conditions={"binance": {"odd-lot": (), "Z": ("open_close", "high_low")}})
REFUSED = "the trades of venue binance in the state were counted by other rules than are configured: "


def folded(rules: Rules) -> Partition:
    """A partition that has flushed trades of one venue, and the clock of another."""
    partition = Partition(rules)
    partition.take(a_trade(0, 0), a_trade(1, 80), a_clock(2, 80, "kraken"))
    return partition


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (RULES, CONTIGUOUS, "trade_ids unknown, and now contiguous"),
        (CONTIGUOUS, RULES, "trade_ids contiguous, and now unknown"),
        (RULES, ODD_LOTS, "conditions {}, and now {odd-lot: [volume]}"),
        (ODD_LOTS, OTHERS, "conditions {odd-lot: [volume]}, and now {Z: [open_close, high_low], odd-lot: []}"),
    ],
)
def test_rules_of_a_venue_that_has_state_are_not_changed_without_a_reset(before: Rules, now: Rules, said: str) -> None:
    partition = folded(before)
    with pytest.raises(CorruptState, match=re.escape(REFUSED + said)):
        partition.come_back(now)


def test_a_venue_that_is_told_of_later_or_no_more_may_have_the_rules_that_it_had() -> None:
    told = replace(RULES, conditions={"binance": {}})
    partition = folded(RULES)
    partition.come_back(told)
    partition.take(a_trade(3, 81))
    partition.come_back(RULES)
    assert partition.next_offset == 4


def test_the_rules_of_a_venue_that_has_no_state_may_change() -> None:
    partition = folded(RULES)
    partition.come_back(replace(RULES, contiguous=frozenset({"kraken"}), conditions={"okx": {"Z": ()}}))
    assert partition.next_offset == 3


def test_rules_are_written_once_and_when_they_change() -> None:
    partition = folded(RULES)
    partition.take(a_trade(3, 81))
    partition.come_back(RULES)
    partition.take(a_trade(4, 82))
    assert [key for key, _ in partition.changelog].count(RULES_KEY) == 1
    partition.come_back(replace(RULES, contiguous=frozenset({"kraken"})))
    partition.take(a_trade(5, 83))
    assert [key for key, _ in partition.changelog].count(RULES_KEY) == 2


def test_state_of_a_release_that_did_not_tell_is_taken_for_what_is_configured_and_tells_it_from_then_on() -> None:
    partition = folded(RULES)
    partition.changelog = [record for record in partition.changelog if record[0] != RULES_KEY]
    partition.come_back(ODD_LOTS)
    partition.take(a_trade(3, 81))
    with pytest.raises(CorruptState, match=REFUSED):
        partition.come_back(RULES)
