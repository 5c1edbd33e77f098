"""Who of a group gets which partitions: each as many as any other, and whoever has the state already.

Faust's assignor tells the group's leader what each worker had, and the workers what they have then. All of that is
Faust's own; only the choice among workers of the same topics is made here. Faust's would move partitions that could
stay, and with standby replicas it fills workers up one by one: of three workers and four partitions the third has none.
`tests/unit/agents/transport/test_pinned_internals.py` fails when a new version chooses elsewhere.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Final

from faust.assignor.client_assignment import CopartitionedAssignment
from faust.assignor.partition_assignor import PartitionAssignor

from agents.transport.rebinding import rebind


class FairShares:
    """Partitions, and standbys of them, among workers that had some of either before."""

    def __init__(
        self, before: Mapping[str, CopartitionedAssignment], num_partitions: int, standbys_of_each: int
    ) -> None:
        """`standbys_of_each` is how many workers keep a partition's state warm; there are no two of one in a worker."""
        self._before = before
        self._workers: Final = sorted(before)
        self._partitions: Final = range(num_partitions)
        self._standbys_of_each: Final = min(standbys_of_each, len(before) - 1)
        self._least, self._with_one_more = divmod(num_partitions, len(before))
        self.actives: Final[dict[str, set[int]]] = {worker: set() for worker in self._workers}
        self.standbys: Final[dict[str, set[int]]] = {worker: set() for worker in self._workers}
        self._owner: dict[int, str] = {}
        self._keep()
        self._hand_over()
        self._stand_by()

    def _keep(self) -> None:
        """Let workers have what they had, as far as it is no more than their share.

        Of two that claim the same partition one was thought dead: it has the fewer of them, and its state is too old.
        """
        by_claims = sorted(self._workers, key=lambda worker: -len(self._before[worker].actives))
        for share in (self._least, self._least + 1):
            for worker in by_claims:
                for partition in sorted(self._before[worker].actives):
                    if partition in self._partitions and len(self.actives[worker]) < share and self._has_room(worker):
                        self._give(partition, worker)

    def _hand_over(self) -> None:
        """Give what is nobody's to a worker that has its state warm, and the rest to those with the fewest."""
        for is_warm in (True, False):
            for partition in self._partitions:
                able = [
                    worker
                    for worker in self._workers
                    if self._has_room(worker) and (partition in self._before[worker].standbys or not is_warm)
                ]
                if able:
                    self._give(partition, min(able, key=lambda worker: len(self.actives[worker])))

    def _has_room(self, worker: str) -> bool:
        held = len(self.actives[worker])
        with_one_more = sum(len(each) > self._least for each in self.actives.values())
        return held < self._least or (held == self._least and with_one_more < self._with_one_more)

    def _give(self, partition: int, worker: str) -> None:
        if self._owner.setdefault(partition, worker) == worker:
            self.actives[worker].add(partition)

    def _stand_by(self) -> None:
        """Leave standbys where they are warm, and spread the rest; then move what is not fair.

        Those with the fewest partitions come first: they are the ones that can take one over.
        """
        for partition in self._partitions:
            for worker in self._able_to_stand_by(partition):
                if partition in self._before[worker].standbys:
                    self._add_standby(partition, worker)
        for partition in self._partitions:
            owned = self.actives[self._owner[partition]]
            for worker in sorted(
                self._able_to_stand_by(partition),
                key=lambda worker: (self._load(worker), len(self.standbys[worker] & owned), len(self.actives[worker])),
            ):
                self._add_standby(partition, worker)
        while self._move_standby():
            pass

    def _move_standby(self) -> bool:
        """Move one from a worker to another that holds two fewer, a cold one if there is any; whether there was one."""
        fullest_first = sorted(self._workers, key=self._load, reverse=True)
        for fuller in fullest_first:
            warm = self._before[fuller].standbys
            for other in reversed(fullest_first):
                if self._load(fuller) - self._load(other) < 2:  # noqa: PLR2004 - moving one would not help
                    break
                able = [each for each in self.standbys[fuller] if other in self._able_to_stand_by(each)]
                if able:
                    moved = min(able, key=lambda partition: (partition in warm, partition))
                    self.standbys[fuller].remove(moved)
                    self.standbys[other].add(moved)
                    return True
        return False

    def _load(self, worker: str) -> int:
        return len(self.actives[worker]) + len(self.standbys[worker])

    def _able_to_stand_by(self, partition: int) -> list[str]:
        return [
            worker
            for worker in self._workers
            if worker != self._owner[partition] and partition not in self.standbys[worker]
        ]

    def _add_standby(self, partition: int, worker: str) -> None:
        if sum(partition in standbys for standbys in self.standbys.values()) < self._standbys_of_each:
            self.standbys[worker].add(partition)


class FairAssignor:
    """Stands where Faust's assignor chooses among the workers that read the same topics."""

    def __init__(
        self,
        topics: Iterable[str],
        cluster_asgn: MutableMapping[str, CopartitionedAssignment],
        num_partitions: int,
        replicas: int,
    ) -> None:
        self._topics = set(topics)
        self._shares = FairShares(cluster_asgn, num_partitions, replicas)

    def get_assignment(self) -> dict[str, CopartitionedAssignment]:
        """What each worker has from now on."""
        shares = self._shares
        return {
            worker: CopartitionedAssignment(shares.actives[worker], shares.standbys[worker], self._topics)
            for worker in shares.actives
        }


class Assignor(PartitionAssignor):
    """Faust's assignor, which chooses fairly."""

    _perform_assignment = rebind(
        PartitionAssignor._perform_assignment,  # noqa: SLF001 - pinned by a test
        CopartitionedAssignor=FairAssignor,
    )
