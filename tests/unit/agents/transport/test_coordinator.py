"""How a worker comes into its group."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import BrokerResponseError, GroupAuthorizationFailedError, InconsistentGroupProtocolError
from aiokafka.structs import TopicPartition

from agents.transport import coordinator as coordinator_module
from agents.transport.coordinator import PatientCoordinator

GUARD_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""
TRADES = TopicPartition("trades", 0)


class Kafka:
    """Leads groups, and refuses who wants to join one for as long as there is a reason."""

    def __init__(self) -> None:
        self.cluster = ClusterMetadata()
        self.reason: type[BrokerResponseError] | None = InconsistentGroupProtocolError
        self.refused: asyncio.Queue[None] = asyncio.Queue()

    async def coordinator_lookup(self, *_: object) -> int:
        return 0

    async def ready(self, _node: int, **_: object) -> bool:
        return True

    async def send(self, _node: int, request: Any, **_: object) -> SimpleNamespace:
        answer: dict[str, Callable[[], SimpleNamespace]] = {
            "JoinGroupRequest": self._joined,
            "SyncGroupRequest": self._synced,
            "LeaveGroupRequest": lambda: SimpleNamespace(error_code=0),
        }
        return answer[type(request).__name__]()

    def _joined(self) -> SimpleNamespace:
        if self.reason is not None:
            self.refused.put_nowait(None)
            return SimpleNamespace(error_code=self.reason.errno)
        return SimpleNamespace(
            error_code=0,
            member_id="this",
            leader_id="another",
            generation_id=1,
            group_protocol="roundrobin",
            members=[],
            API_VERSION=0,
        )

    def _synced(self) -> SimpleNamespace:
        given = ConsumerProtocolMemberAssignment(0, [(TRADES.topic, [TRADES.partition])], b"")
        return SimpleNamespace(error_code=0, member_assignment=given.encode())


@pytest.fixture
async def kafka() -> Kafka:
    return Kafka()


@pytest.fixture
async def subscription() -> SubscriptionState:
    made = SubscriptionState()
    made.register_fetch_waiters(set())
    made.subscribe({TRADES.topic})
    return made


@pytest.fixture
async def worker(kafka: Kafka, subscription: SubscriptionState) -> AsyncIterator[PatientCoordinator]:
    made = PatientCoordinator(kafka, subscription, group_id="sink", enable_auto_commit=False)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (
            InconsistentGroupProtocolError,
            "group sink has workers of another release: this one waits until they are gone",
        ),
        (GroupAuthorizationFailedError, "group sink cannot be joined, and it is tried again: [Error 30] "),
    ],
)
async def test_a_worker_joins_once_its_group_takes_it(
    *,
    kafka: Kafka,
    subscription: SubscriptionState,
    worker: PatientCoordinator,  # noqa: ARG001 - it joins by itself
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    reason: type[BrokerResponseError],
    told: str,
) -> None:
    monkeypatch.setattr(coordinator_module, "LOOK_AGAIN_S", 0.001)
    kafka.reason = reason
    async with asyncio.timeout(GUARD_S):
        for _ in range(3):
            await kafka.refused.get()
        kafka.reason = None
        await subscription.wait_for_assignment()
    assert subscription.assigned_partitions() == {TRADES}
    assert any(message.startswith(told) for message in caplog.messages)


async def test_a_worker_that_is_refused_can_be_stopped(
    kafka: Kafka, worker: PatientCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator_module, "LOOK_AGAIN_S", 10 * GUARD_S)
    async with asyncio.timeout(GUARD_S):
        await kafka.refused.get()
        await worker.close()
