"""When the consumer fetches and when it leaves records with the broker, while streams have no room for them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import pytest
from aiokafka.structs import TopicPartition
from faust.types import TP, Message

from agents.quote_join import build_join
from agents.reconcile import build_reconcile
from agents.sql_sink import build_sink
from agents.transport import BatchApp, RecordSet
from agents.transport.assignor import Assignor
from agents.transport.consumer import Consumer, InLoopConsumer
from agents.transport.fetch import UndecodedRecords
from agents.worker import build_worker
from app.settings import Settings

GUARD_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""
TOO_LONG_S = 1_000.0
TRADES = {TP("trades", partition) for partition in range(3)}
USERS = TP("users", 0)


class Broker(InLoopConsumer):
    """Remembers what was asked of it, and has the records that it was given."""

    fetched: list[set[TP]]
    records: Mapping[TP, list[Any]]
    meanwhile: Callable[[], Awaitable[None]] | None = None
    """What happens while it is asked for records."""
    assignments_meanwhile = 0

    async def getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ARG002, ASYNC109 - Faust's own
        self.fetched.append(set(active_partitions or ()))
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.records

    def highwater(self, _tp: TP) -> int:
        return 0

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:  # noqa: ARG002 - Faust's own
        """Go there, and be assigned other partitions meanwhile where that is wanted."""
        self.app.consumer_generation_id += self.assignments_meanwhile

    async def seek_committed(self, partitions: set[TP]) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, 0)


class Beginning:
    """Has every partition of trades begin at its first record, some later than others."""

    name = None
    outputs = ()

    async def assigned(self, partitions: set[TP]) -> None:
        """Most are ready at once."""

    async def revoked(self) -> None:
        """Nothing is held."""

    def __init__(self, *not_ready: TP) -> None:
        self.not_ready = set(not_ready)

    def position(self, tp: TP) -> int | None:
        return None if tp in self.not_ready else 0


class Assigned(Consumer):
    """A consumer with three partitions of trades and one of a user's topic, and no broker to fetch them from."""

    def __init__(self, app: BatchApp) -> None:
        super().__init__(app.transport, self.hand_over, app._on_partitions_revoked, app._on_partitions_assigned)
        self.handed_over: list[RecordSet] = []
        self.left_to_faust: list[RecordSet] = []
        self.paused_by_the_first: set[TP] = set()
        self._set_active_tps(self.assignment())
        self.resume_flow()

    def _new_consumer_thread(self) -> Broker:
        thread = Broker(self, loop=self.loop, thread_loop=self.loop, beacon=self.beacon)
        thread.fetched = []
        thread.records = {}
        return thread

    async def hand_over(self, message: Message) -> None:
        """As Faust gives messages to their agents' streams."""
        self.handed_over.append(cast("RecordSet", message.value))
        self.pause_partitions(self.paused_by_the_first)

    def give(self, *partitions: TP, offset: int) -> None:
        """Have a record set of each of these partitions fetched from now on, and nothing else."""
        self.broker.records = {tp: [next(UndecodedRecords(TopicPartition(*tp), b"", (), offset))] for tp in partitions}

    @property
    def broker(self) -> Broker:
        assert isinstance(self._thread, Broker)
        return self._thread

    @property
    def fetched(self) -> list[set[TP]]:
        return self.broker.fetched

    def assignment(self) -> set[TP]:
        return TRADES | {USERS}

    async def fetch(self) -> None:
        """Once, as Faust's fetcher does it again and again."""
        self.left_to_faust = [cast("RecordSet", message.value) async for _tp, message in self.getmany(TOO_LONG_S)]


@pytest.fixture
async def consumer() -> Assigned:
    app = build_worker(Settings(namespace="test"))
    app.batch_topics = {"trades"}
    app.read_batches_from(Beginning())
    consumer = Assigned(app)
    await consumer.seek_to_committed()
    return consumer


async def test_a_full_stream_stops_every_partition_of_its_topic_and_no_other_topic(consumer: Assigned) -> None:
    consumer.on_buffer_full(TP("trades", 1))
    await consumer.fetch()
    consumer.on_buffer_drop(TP("trades", 2))
    await consumer.fetch()
    assert consumer.fetched == [{USERS}, TRADES | {USERS}]


async def test_a_full_partition_of_a_users_topic_stops_itself_alone(consumer: Assigned) -> None:
    consumer.on_buffer_full(USERS)
    await consumer.fetch()
    assert consumer.fetched == [TRADES]


async def test_a_partition_that_is_held_stays_so_when_its_stream_has_room_again(consumer: Assigned) -> None:
    held = TP("trades", 1)
    consumer.on_buffer_full(TP("trades", 0))
    consumer.pause_partitions({held})
    consumer.on_buffer_drop(TP("trades", 0))
    await consumer.fetch()
    consumer.resume_partitions({held})
    await consumer.fetch()
    assert consumer.fetched == [TRADES - {held} | {USERS}, TRADES | {USERS}]


async def test_fetching_goes_on_when_a_stream_has_room_again_and_waits_no_longer(consumer: Assigned) -> None:
    consumer.on_buffer_full(TP("trades", 0))
    consumer.on_buffer_full(USERS)
    waiting = asyncio.create_task(consumer.fetch())
    await asyncio.sleep(0)
    assert not waiting.done()
    consumer.on_buffer_drop(TP("trades", 0))
    async with asyncio.timeout(GUARD_S):
        await waiting
    await consumer.fetch()
    assert consumer.fetched == [TRADES]


async def test_nothing_of_a_batch_topic_is_fetched_before_it_was_sought_after_a_rebalance(consumer: Assigned) -> None:
    await consumer.on_partitions_revoked(TRADES)
    consumer.resume_partitions(TRADES | {USERS})
    await consumer.fetch()
    await consumer.seek_to_committed()
    await consumer.fetch()
    assert consumer.fetched == [{USERS}, TRADES | {USERS}]


async def test_a_consumer_with_none_but_unsought_batch_partitions_fetches_nothing(consumer: Assigned) -> None:
    await consumer.on_partitions_revoked(TRADES)
    consumer.resume_partitions(TRADES)
    consumer.pause_partitions({USERS})
    await consumer.fetch()
    assert consumer.fetched == []


async def test_a_partition_that_is_ready_later_is_fetched_from_then_on_and_sought_once(consumer: Assigned) -> None:
    late = TP("trades", 2)
    source = Beginning(late)
    consumer.app.read_batches_from(source)
    await consumer.on_partitions_revoked(TRADES)
    consumer.resume_partitions(TRADES | {USERS})
    await consumer.seek_to_committed()
    await consumer.fetch()
    source.not_ready.clear()
    assert await consumer.seek_batches({late}) == {late: 0}
    await consumer.fetch()
    assert await consumer.seek_batches(TRADES) == {}
    assert consumer.fetched == [{USERS, *TRADES - {late}}, TRADES | {USERS}]


async def test_what_was_sought_between_two_assignments_is_sought_again_in_the_second(consumer: Assigned) -> None:
    await consumer.on_partitions_revoked(TRADES)
    await consumer.seek_batches(TRADES)
    await consumer.on_partitions_assigned(TRADES, generation_id=2)
    assert await consumer.seek_batches(TRADES) == dict.fromkeys(TRADES, 0)


async def test_a_seek_that_another_assignment_overtook_does_not_count_for_it(consumer: Assigned) -> None:
    await consumer.on_partitions_revoked(TRADES)
    consumer.broker.assignments_meanwhile = 1
    await consumer.seek_batches(TRADES)
    consumer.broker.assignments_meanwhile = 0
    assert await consumer.seek_batches(TRADES) == dict.fromkeys(TRADES, 0)


async def test_a_record_set_is_handed_over_at_once_while_its_agent_has_room(consumer: Assigned) -> None:
    tp = TP("trades", 1)
    consumer.give(tp, offset=7)
    await consumer.fetch()
    assert [each.start_offset for each in consumer.handed_over] == [7]
    assert consumer.left_to_faust == []


async def test_a_record_set_that_begins_before_the_last_one_is_handed_over_all_the_same(consumer: Assigned) -> None:
    tp = TP("trades", 1)
    for offset in (8, 7):
        consumer.give(tp, offset=offset)
        await consumer.fetch()
    assert [each.start_offset for each in consumer.handed_over] == [8, 7]


async def test_a_pause_while_a_fetch_is_handed_over_loses_nothing_of_it(consumer: Assigned) -> None:
    consumer.paused_by_the_first = TRADES
    consumer.give(*TRADES, offset=7)
    await consumer.fetch()
    assert {TP(each.topic, each.partition) for each in consumer.handed_over} == TRADES
    await consumer.fetch()
    assert consumer.fetched == [TRADES | {USERS}, {USERS}]


async def test_a_pause_while_a_fetch_is_under_way_loses_nothing_of_it(consumer: Assigned) -> None:
    async def pause() -> None:
        consumer.pause_partitions(TRADES)

    consumer.broker.meanwhile = pause
    consumer.give(*TRADES, offset=7)
    await consumer.fetch()
    assert {TP(each.topic, each.partition) for each in consumer.handed_over} == TRADES


async def test_what_a_fetch_brings_of_partitions_that_were_let_go_of_meanwhile_is_left_out(consumer: Assigned) -> None:
    consumer.broker.meanwhile = lambda: consumer.on_partitions_revoked(TRADES)
    consumer.give(*TRADES, offset=7)
    await consumer.fetch()
    assert consumer.handed_over == []


async def test_faust_waits_for_room_where_an_agent_has_none_and_drops_nothing(consumer: Assigned) -> None:
    tp = TP("trades", 1)
    consumer._read_offset[tp] = 8
    full = consumer.app.topic("full")
    while not full.queue.full():
        full.queue.put_nowait(object())
    cast("Any", consumer.app.topics)._tp_index[tp].add(full)
    consumer.give(tp, offset=7)
    await consumer.fetch()
    assert consumer.handed_over == []
    assert [each.start_offset for each in consumer.left_to_faust] == [7]
    assert consumer._read_offset[tp] is None


async def consumer_of(app: BatchApp) -> Any:
    """The consumer that a worker of it would start."""
    transport: Any = app.transport
    made = Assigned(app).broker._create_worker_consumer(transport)
    await made.stop()
    return made


@pytest.mark.parametrize("standbys", [0, 1])
@pytest.mark.parametrize("build", [build_worker, build_join, build_reconcile, build_sink])
async def test_every_workers_group_is_given_its_partitions_by_our_assignor_alone(
    build: Callable[[Settings], BatchApp], standbys: int
) -> None:
    app = build(Settings(standbys=standbys))
    made = await consumer_of(app)
    assert made._partition_assignment_strategy == [app.assignor]
    assert isinstance(app.assignor, Assignor)


@pytest.mark.parametrize("session_ms", [1_000, 90_000, 90_001, 600_000])
async def test_a_session_may_last_longer_than_a_broker_usually_has_for_an_answer(session_ms: int) -> None:
    made = await consumer_of(build_worker(Settings(session_timeout_ms=session_ms)))
    assert made._session_timeout_ms == session_ms
    assert made._request_timeout_ms > session_ms
