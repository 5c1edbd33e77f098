"""A seed decides what goes wrong."""

from itertools import islice

from tests.chaos.storm.schedule import DECK, Kind, rounds

ROUND_S = 40.0


def test_the_same_seed_gives_the_same_faults_and_another_gives_others() -> None:
    first = list(islice(rounds(7, ROUND_S), 5))
    assert first == list(islice(rounds(7, ROUND_S), 5))
    assert first != list(islice(rounds(8, ROUND_S), 5))


def test_faults_lie_in_their_round_in_order() -> None:
    for faults in islice(rounds(7, ROUND_S), 5):
        moments = [fault.at_s for fault in faults]
        assert moments == sorted(moments)
        assert 0 <= moments[0] <= moments[-1] < ROUND_S


def test_every_kind_meets_every_part_before_any_comes_more_often() -> None:
    dealt = [fault for faults in islice(rounds(7, ROUND_S), 20) for fault in faults]
    assert {kind for kind, _ in DECK} == set(Kind)
    assert {(fault.kind, fault.target) for fault in dealt[: len(DECK)]} == set(DECK)
