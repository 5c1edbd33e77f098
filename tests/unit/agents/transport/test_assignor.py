"""Who gets which partitions, through workers that come and go."""

import random
from collections.abc import Iterable, Iterator

import pytest
from faust.assignor.client_assignment import CopartitionedAssignment

from agents.quote_join import build_join
from agents.transport import BatchApp
from agents.transport.assignor import Assignor, FairAssignor
from app.settings import Settings

Group = dict[str, CopartitionedAssignment]
Logs = dict[str, dict[str, set[int]]]
"""The partitions of each log that each worker has."""
SEEDS = range(50)


def assigned(before: Group, partitions: int, standbys: int) -> Group:
    return FairAssignor({"trades"}, before, partitions, standbys).get_assignment()


def joined(group: Group, *workers: str) -> Group:
    return group | {worker: CopartitionedAssignment() for worker in workers}


def without(group: Group, *workers: str) -> Group:
    return {worker: held for worker, held in group.items() if worker not in workers}


def check(group: Group, partitions: int, standbys: int) -> None:
    """Each partition once, its standbys in as many other workers, and nobody with more than a fair share of either."""
    assert sorted(number for held in group.values() for number in held.actives) == list(range(partitions))
    counts = [len(held.actives) for held in group.values()]
    assert max(counts) - min(counts) <= 1
    wanted = min(standbys, len(group) - 1)
    for number in range(partitions):
        assert sum(number in held.standbys for held in group.values()) == wanted
    assert all(held.actives.isdisjoint(held.standbys) for held in group.values())
    states = [len(held.actives) + len(held.standbys) for held in group.values()]
    assert max(states) - min(states) <= 1


def changes(seed: int) -> Iterator[tuple[Group, Group, int, int]]:
    """The group before and after each of some random comings and goings, partitions and standbys."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    partitions, standbys = chance.randint(1, 24), chance.randint(0, 3)
    group: Group = {}
    for number in range(20):
        if len(group) > 1 and chance.random() < 0.5:
            group = without(group, *chance.sample(sorted(group), chance.randint(1, len(group) - 1)))
        else:
            group = joined(group, *(f"worker-{chance.random()}-{number}" for _ in range(chance.randint(1, 2))))
        after = assigned(group, partitions, standbys)
        yield group, after, partitions, standbys
        group = after


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_are_whole_and_fair_whoever_comes_and_goes(seed: int) -> None:
    for _, after, partitions, standbys in changes(seed):
        check(after, partitions, standbys)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_worker_gives_a_partition_away_but_to_be_fair(seed: int) -> None:
    for before, after, partitions, _ in changes(seed):
        share = -(-partitions // len(after))
        for worker, held in after.items():
            kept = held.actives & before[worker].actives
            least = min(len(before[worker].actives), partitions // len(after))
            assert least <= len(kept) <= share
        moved = sum(len(held.actives - before[worker].actives) for worker, held in after.items())
        nobodys = partitions - sum(len(held.actives) for held in before.values())
        surplus = sum(max(0, len(held.actives) - partitions // len(after)) for held in before.values())
        over = surplus - sum(1 for held in before.values() if len(held.actives) > partitions // len(after))
        assert nobodys <= moved <= nobodys + max(surplus, over)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_group_again_moves_nothing(seed: int) -> None:
    for _, after, partitions, standbys in changes(seed):
        again = assigned(after, partitions, standbys)
        assert [(held.actives, held.standbys) for held in again.values()] == [
            (after[worker].actives, after[worker].standbys) for worker in again
        ]


def test_a_third_worker_gets_its_share_beside_standbys() -> None:
    two = assigned(joined({}, "a", "b"), 4, 1)
    three = assigned(joined(two, "c"), 4, 1)
    assert sorted(len(held.actives) for held in three.values()) == [1, 1, 2]
    check(three, 4, 1)


@pytest.mark.parametrize(("partitions", "workers"), [(4, "ab"), (4, "abc"), (6, "abc"), (12, "abcd")])
def test_whoever_stood_by_takes_over(partitions: int, workers: str) -> None:
    group = assigned(joined({}, *workers), partitions, 1)
    for gone in workers:
        left = assigned(without(group, gone), partitions, 1)
        for number in group[gone].actives:
            (heir,) = (worker for worker, held in left.items() if number in held.actives)
            assert number in group[heir].standbys


def test_of_two_that_claim_the_same_the_one_that_has_more_keeps_it() -> None:
    heir = CopartitionedAssignment(actives={0, 1, 2, 3})
    zombie = CopartitionedAssignment(actives={0, 1})
    group = assigned({"heir": heir, "zombie": zombie}, 4, 0)
    assert group["heir"].actives == {0, 1}
    assert group["zombie"].actives == {2, 3}


def test_an_app_has_it_for_an_assignor() -> None:
    assignor = BatchApp("test", standbys=2).assignor
    assert isinstance(assignor, Assignor)
    assert assignor.replicas == 2


def test_partitions_that_are_no_more_are_forgotten() -> None:
    group = assigned({"a": CopartitionedAssignment(actives={0, 9}, standbys={8})}, 2, 1)
    assert group["a"].actives == {0, 1}
    assert group["a"].standbys == set()


class Brokers:
    """As much of a cluster as an assignor asks for."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return set(range(self.partitions))


class Joins:
    """Workers of the join by name, each with an assignor of its own."""

    def __init__(self, partitions: int) -> None:
        self._brokers = Brokers(partitions)
        self._assignors: dict[str, Assignor] = {}

    def rebalance(self, workers: Iterable[str]) -> Logs:
        """What each of these workers has from now on; of one that was not there before all is new."""
        self._assignors = {worker: self._assignors.get(worker) or new_assignor() for worker in workers}
        leader = self._assignors[min(self._assignors)]
        asked = {worker: each.metadata({"trades", "quotes"}) for worker, each in self._assignors.items()}
        told = leader.assign(self._brokers, asked)
        for worker, each in self._assignors.items():
            each.on_assignment(told[worker])
        return {worker: {topic: set(has) for topic, has in told[worker].assignment} for worker in told}


def new_assignor() -> Assignor:
    app = build_join(Settings())
    app.finalize()
    assignor = app.assignor
    assert isinstance(assignor, Assignor)
    return assignor


@pytest.mark.parametrize(("partitions", "workers"), [(4, "ab"), (4, "abc"), (6, "abcd"), (3, "ab"), (2, "abc")])
def test_both_logs_of_a_partition_are_one_workers_and_each_worker_has_its_share(partitions: int, workers: str) -> None:
    given = Joins(partitions).rebalance(workers)
    owned = [logs.get("trades", set()) for logs in given.values()]
    assert owned == [logs.get("quotes", set()) for logs in given.values()]
    assert sorted(number for each in owned for number in each) == list(range(partitions))
    assert max(map(len, owned)) - min(map(len, owned)) <= 1


def test_a_worker_keeps_both_logs_of_its_partitions_when_others_come_and_go() -> None:
    joins = Joins(6)
    two = joins.rebalance("ab")
    three = joins.rebalance("abc")
    assert all(three[worker]["trades"] < two[worker]["trades"] for worker in "ab")
    left = joins.rebalance("bc")
    assert all(left[worker]["trades"] > three[worker]["trades"] for worker in "bc")
    assert all(logs["trades"] == logs["quotes"] for given in (two, three, left) for logs in given.values())
