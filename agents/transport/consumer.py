"""Faust's Kafka consumer for apps with batch topics."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Final, cast

import aiokafka
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.consumer import RecordMap
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, ensure_aiokafka_TP
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Producer as FaustProducer
from faust.transport.drivers.aiokafka import Transport as FaustTransport
from faust.types import TP, Message
from mode.utils.locks import Event

from agents.transport.app import BatchApp
from agents.transport.fetch import undecoding_consumer
from agents.transport.in_loop import InLoop
from agents.transport.rebinding import AskingClient, rebind
from agents.transport.record_set import RecordSet

log = logging.getLogger(__name__)

STOP_S: Final = 5.0
IDLE_FETCH_MS: Final = 100
"""How long the broker holds a fetch that finds nothing. aiokafka has one fetch at a time under way to a broker: one for
partitions with nothing to read holds back those whose records were still being folded when it was sent."""
BUFFERED_WAIT_S: Final = 0.05
"""For records of the partitions that may still be fetched, while others wait for room in a stream's buffer."""


class InLoopConsumer(AIOKafkaConsumerThread):
    """Runs a consumer that leaves the app's batch topics undecoded and reads only what is committed.

    It runs in the loop of everything else. In a thread, as Faust has it, each record set waited for the interpreter and
    for the other loop to wake, 2.5 ms at the median on 2 busy virtual CPUs: at 10,000 trades a second an update came
    after 18.6 ms and not 11.4, at 100,000 after 45 and not 28 (p50, one pair of runs).
    """

    app: BatchApp

    def _create_worker_consumer(self, transport: FaustTransport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # The class decides only what `start` builds, and that comes later: nothing is lost by changing it here.
        consumer.__class__ = undecoding_consumer(frozenset(self.app.batch_topics))
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust knows no setting for it
        # Faust has aiokafka's assignor choose where it sees neither changelogs nor standbys, and that one gives the two
        # logs of a join's partition to different workers.
        consumer._partition_assignment_strategy = [self.app.assignor]  # noqa: SLF001 - pinned by a test
        consumer._fetch_max_wait_ms = IDLE_FETCH_MS  # noqa: SLF001 - Faust knows no setting for it
        if self.app.fetch_wait_ms is not None:
            consumer._fetch_min_bytes = consumer._max_partition_fetch_bytes  # noqa: SLF001 - nor for these
            consumer._fetch_max_wait_ms = self.app.fetch_wait_ms  # noqa: SLF001 - as above
        return consumer

    async def getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - Faust's own
    ) -> RecordMap:
        """Fetch at once: Faust has each call wait for a worker of a queue."""
        consumer = self._ensure_consumer()
        at_most = consumer._max_poll_records  # noqa: SLF001 - as Faust does
        return await self._fetch_records(consumer, active_partitions or set(), timeout, at_most)

    async def _gather_remaining_tasks(self) -> None:
        """Leave the loop's other tasks alone: they are not the consumer's."""

    async def on_thread_stop(self) -> None:
        """Stop the consumer, within seconds.

        A rebalance that falls into the stop waits for an app that answers no more: Faust would wait a minute for it.
        """
        try:
            async with asyncio.timeout(STOP_S):
                await super().on_thread_stop()
        except TimeoutError as error:
            log.warning("the consumer was not stopped in order: %r", error)

    async def seek_committed(self, partitions: set[TP]) -> Mapping[TP, int]:
        """Go to the committed offsets of some partitions."""
        if not partitions:
            return {}
        wanted = [ensure_aiokafka_TP(tp) for tp in partitions]
        offsets: Mapping[TP, int] = await self.call_thread(self._ensure_consumer().seek_to_committed, *wanted)
        return offsets

    async def commit_positions(self, offsets: Mapping[TP, int]) -> bool:
        """Store offsets of partitions that are still assigned; whether that went well."""
        return bool(await self.call_thread(self._commit_positions, offsets))

    async def rejoin(self) -> None:
        """Have the group's coordinator begin a rebalance."""
        await self.call_thread(self._request_rejoin)

    async def _request_rejoin(self) -> None:
        self._ensure_consumer()._coordinator.request_rejoin()  # noqa: SLF001 - pinned by a test

    async def _commit_positions(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        owned = {
            ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in consumer.assignment()
        }
        if not owned:
            return False
        try:
            await consumer.commit(owned)
        except KafkaError as error:
            log.warning("positions were not committed, which matters to lag alone: %r", error)
            return False
        return True


class Consumer(FaustConsumer):
    """Accounts batch topics in spans: by the positions that the app knows, never by Faust's acks of single offsets."""

    app: BatchApp
    _thread: InLoopConsumer

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Faust's own
        super().__init__(*args, **options)
        self._buffer_dropped = Event()
        self._sought: set[TP] = set()
        self._seeking = asyncio.Lock()

    def on_buffer_full(self, tp: TP) -> None:
        """Fetch no more of a batch topic, whose partitions share one stream, and of other topics nothing of `tp`."""
        for full in self._sharing(tp):
            super().on_buffer_full(full)

    def on_buffer_drop(self, tp: TP) -> None:
        """Fetch them again, now that their stream has room: at once."""
        for dropped in self._sharing(tp):
            super().on_buffer_drop(dropped)
        self._get_active_partitions().difference_update(self._paused_partitions)  # they are held for another reason
        self._buffer_dropped.set()

    def _sharing(self, tp: TP) -> set[TP]:
        """The partitions whose records wait in the same buffer as those of `tp`."""
        if tp.topic not in self.app.batch_topics:
            return {tp}
        return {other for other in self.assignment() if other.topic == tp.topic}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 - Faust's own
        """What was fetched; record sets go to their agent from here, as long as it has room for them.

        Faust makes four tasks for each, to notice when the flow stops while it waits: 60 µs where nobody waits.
        """
        async for tp, message in super().getmany(timeout):
            if isinstance(cast("object", message.value), RecordSet):
                self._read_offset[tp] = None  # Faust would drop in silence what begins lower: its agent is to refuse it
                if self._has_room(tp):
                    await self.callback(message)
                    continue
            yield tp, message

    def _has_room(self, tp: TP) -> bool:
        """Whether nobody would wait for the agents of a partition to take a record set."""
        channels = cast("Any", self.app.topics)._tp_index[tp]  # noqa: SLF001 - pinned by a test
        return not any(channel.queue.full() for channel in channels)

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - Faust's own
    ) -> RecordMap:
        """Fetch, and leave batch partitions alone until they were sought.

        Faust resumes partitions before it seeks them, and while tables of a user's own are recovered it fetches: what
        came before the seek would come once more behind it.
        """
        active = self.assignment() if active_partitions is None else active_partitions
        wanted = {tp for tp in active if tp.topic not in self.app.batch_topics or tp in self._sought}
        if active and not wanted:
            await self.sleep(BUFFERED_WAIT_S)
            return {}
        return await super()._getmany(wanted, timeout)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let go of partitions; they are sought anew when they are assigned again."""
        await super().on_partitions_revoked(revoked)
        self._sought.clear()  # not before: until its source has let go, a partition may become ready and be sought

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Begin with partitions of which none was sought.

        Whoever was getting the former ones ready goes on until now, and may have sought them after they were revoked.
        Taken for sought, these would be read from the group's committed offsets.
        """
        self._sought.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _wait_next_records(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust's own
    ) -> tuple[RecordMap | None, set[TP] | None]:
        """Wait for records, and hand over those of sought partitions even if they are paused by now, or soon.

        Faust would leave them out, and fetching goes on behind them.
        """
        records, active = await self._fetch_soon(timeout)
        if records is None or active is None:
            return records, active
        return records, active | self._sought.intersection(records)

    async def _fetch_soon(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust's own
    ) -> tuple[RecordMap | None, set[TP] | None]:
        """Wait for records, and while a stream's buffer is full, for no longer than until it has room.

        Faust looks again after a second, in which a stream that folds as fast as it can has long run dry.
        """
        if not self._buffered_partitions or not self.flow_active:
            return await super()._wait_next_records(timeout)
        if self._get_active_partitions():
            return await super()._wait_next_records(BUFFERED_WAIT_S)
        self._buffer_dropped.clear()
        await self.wait(self._buffer_dropped, timeout=timeout)
        return {}, set()

    def _new_consumer_thread(self) -> InLoopConsumer:
        return InLoopConsumer(self, loop=self.loop, thread_loop=self.loop, Worker=InLoop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go to where each partition goes on: batch topics by the app's positions, the others by committed offsets."""
        assignment = self.assignment()
        batch = {tp for tp in assignment if tp.topic in self.app.batch_topics}
        committed = await self._thread.seek_committed(assignment - batch)
        return {**committed, **await self.seek_batches(batch)}

    async def seek_batches(self, partitions: set[TP]) -> Mapping[TP, int]:
        """Go to where partitions of batch topics go on; later those that are not ready, and once only all others."""
        async with self._seeking:
            generation = self.app.consumer_generation_id
            positions = {
                tp: offset for tp in partitions - self._sought if (offset := self.app.batch_position(tp)) is not None
            }
            await self.seek_wait(positions)
            if generation == self.app.consumer_generation_id:  # else they are partitions of another assignment by now
                self._sought |= positions.keys()
        return positions

    def track_message(self, message: Message) -> None:
        """Remember ordinary messages until they are acked; what becomes of a record set is known by its position."""
        if not isinstance(message.value, RecordSet):
            super().track_message(message)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Watch ordinary partitions for processing that hangs; batch topics commit elsewhere and would look so."""
        if tp.topic not in self.app.batch_topics:
            super().verify_event_path(now, tp)

    async def commit_positions(self, offsets: Mapping[TP, int]) -> bool:
        """Store positions of batch topics as the group's offsets; they show its lag and decide nothing."""
        return await self._thread.commit_positions(offsets)

    async def rejoin(self) -> None:
        """Have the group assign its partitions anew."""
        await self._thread.rejoin()


class AskingProducer(aiokafka.AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
    """A producer that makes no topic by writing to it."""

    __init__ = rebind(aiokafka.AIOKafkaProducer.__init__, AIOKafkaClient=AskingClient)


class Producer(FaustProducer):
    """Faust's producer, by which agents of a user's own write."""

    _producer_type = AskingProducer


class Transport(FaustTransport):
    """Faust's transport `livetape://`: its own aiokafka driver, which hands batch topics over as record sets."""

    Consumer: ClassVar[Any] = Consumer
    Producer: ClassVar[Any] = Producer
