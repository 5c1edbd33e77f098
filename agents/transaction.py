"""One transaction: what a partition's state became and what it puts out, together or not at all."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from aiokafka.structs import TopicPartition
from faust.types import TP

from agents import crash_points
from agents.dead_letters import Refused, pack
from agents.kernel import PackedBatch, RecordBatchWriter
from agents.left_undecided import left_open, was_committed
from agents.log_bounds import undecided
from agents.transport import PreparedBatch, transactional_producer
from app.settings import Settings

log = logging.getLogger(__name__)

Batches: TypeAlias = Mapping[str, Sequence[PackedBatch]]
"""What is to be written, by topic without namespace."""
_WAIT_S: Final = 10.0
_NOTICE_S: Final = 2.0
_AGAIN_S: Final = 0.5
_CLOSE_WAIT_S: Final = 1.0
_MARKER: Final = 1
"""Offsets that the end of a transaction takes in each partition that it wrote to."""


class FlushFailed(Exception):
    """The transaction is not known to be committed: the state in memory must not be used any more."""


class Fenced(FlushFailed):
    """Another worker has taken the partition over."""


class TransactionWriter:
    """The transactional producer of one partition number. To be used in the event loop that it was made in.

    Starting it fences every other one of the same id, so that a worker that was thought dead cannot write.
    """

    def __init__(
        self, settings: Settings, partition: int, identity: str, *, state: str, outputs: Sequence[str]
    ) -> None:
        """`state` is the changelog, and `outputs` all else that it writes to, by their names without namespace."""
        self._settings = settings
        self._partition = partition
        self._identity = identity
        self._changelog = TP(settings.topic(state), partition)
        self._outputs = [TP(settings.topic(name), partition) for name in outputs]
        self._producer = self._new_producer()

    def _new_producer(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        return transactional_producer(self._settings, self._identity)

    async def start(self) -> None:
        """Fence other producers of this partition and end what they left open.

        Waits as long as it takes: a broker that has come back loads its transactions first.

        Raises:
            KafkaError, KafkaException: the broker refuses.
        """
        while True:
            try:
                await self._start()
                return await self._end_undecided()
            except KafkaError as error:
                await self.close()
                if not error.retriable:
                    raise
                log.warning("partition %d: the broker cannot be reached: %r", self._partition, error)
                await asyncio.sleep(_AGAIN_S)
                self._producer = self._new_producer()

    async def _start(self) -> None:
        starting = asyncio.ensure_future(self._producer.start())
        try:
            while not (await asyncio.wait({starting}, timeout=_NOTICE_S))[0]:
                log.warning("partition %d: still waiting to be its only writer", self._partition)
            await starting
        finally:
            starting.cancel()  # where nobody waits any more, it would fence whoever starts next

    async def _end_undecided(self) -> None:
        """End what the broker has of a transaction that it takes for ended, and whose end it did not write everywhere.

        A broker that comes back and does not know yet who leads a partition takes it for deleted, and leaves the end of
        the transaction out there. Our next one has the same producer id: its end would decide that as well, whatever
        was meant. What the changelog does not have is made again, so an output ends as the changelog says of what is
        first undecided there, and the changelog's own is aborted. What an output has committed of that then comes
        twice: its last commit does not tell of which flush it is.
        """
        while left := await self._left_open():
            committed = {
                tp
                for tp, at_ms in left.items()
                if tp != self._changelog and await was_committed(self._settings, self._changelog, at_ms)
            }
            await self._end(committed, self._producer.commit_transaction)
            await self._end(left.keys() - committed, self._producer.abort_transaction)
            await asyncio.sleep(_AGAIN_S)  # an end is written behind the broker's answer, and may be left out again

    async def _left_open(self) -> dict[TP, int]:
        """Where a transaction of this id has no end, and since when."""
        partitions = await asyncio.to_thread(undecided, self._settings, {self._changelog, *self._outputs})
        producer_id = self._producer._txn_manager.producer_id  # noqa: SLF001 - aiokafka tells it by nothing else
        return await left_open(self._settings, partitions, producer_id)

    async def _end(self, partitions: Collection[TP], end: Callable[[], Awaitable[None]]) -> None:
        """End what is open in these partitions by a transaction that has no records."""
        if not partitions:
            return
        log.warning("%s: the broker left %s undecided: %s", self._identity, sorted(partitions), end.__name__)
        await self._producer.begin_transaction()
        for tp in partitions:
            self._producer._txn_manager.maybe_add_partition_to_txn(TopicPartition(*tp))  # noqa: SLF001 - none has records
        await end()

    async def write_batches(self, outputs: Batches, state: Batches) -> dict[str, int | None]:
        """Write outputs and state in one transaction; the offset behind it in each topic that it wrote to, if known.

        Raises:
            Fenced: another worker has the partition now.
            FlushFailed: the transaction was not committed, or nobody knows.
        """
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._producer.begin_transaction()
                _expect(self._producer._txn_manager.wait_for_transaction_end())  # noqa: SLF001 - fails when a batch does
                ends = await self._send({**outputs, **state})
                crash_points.reach("before-commit")
                await self._producer.commit_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(repr(error)) from error
        except TimeoutError as error:
            raise FlushFailed(f"the broker took more than {_WAIT_S:.0f} s for a transaction") from error
        except KafkaError as error:
            raise FlushFailed(repr(error)) from error
        crash_points.reach("after-commit")
        return ends

    async def close(self) -> None:
        """Let go of the connections; a transaction that is open is the broker's to end."""
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await self._producer.stop()
        except (KafkaError, TimeoutError) as error:
            log.debug("partition %d: its producer did not stop by itself: %r", self._partition, error)
            await self._producer.client.close()

    async def _send(self, batches: Batches) -> dict[str, int | None]:
        """All at once: the broker is asked once to add the partitions, and once to take the batches."""
        wanted = {name: each for name, each in batches.items() if each}
        appended = await asyncio.gather(*(self._send_in_order(name, each) for name, each in wanted.items()))
        waiting = list(chain.from_iterable(appended))
        if waiting:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        crash_points.reach("mid-flush")
        await asyncio.gather(*waiting)
        return {
            name: _end_behind(each[-1], stored[-1].result().offset)
            for (name, each), stored in zip(wanted.items(), appended, strict=True)
        }

    async def _send_in_order(self, name: str, batches: Sequence[PackedBatch]) -> list[asyncio.Future[Any]]:
        """Put the batches of a topic on their way."""
        topic = self._settings.topic(name)
        return [
            await self._producer.send_batch(PreparedBatch(batch), topic, partition=self._partition) for batch in batches
        ]

    async def dead_letters(self, source: str, letters: Sequence[Refused]) -> Sequence[PackedBatch]:
        """Records of a topic that could not be taken, with where they were and why."""
        return await pack(self._settings.topic(source), self._partition, letters)


def packed(records: Iterable[tuple[bytes | None, bytes | None]]) -> Sequence[PackedBatch]:
    """Keys and values as batches to be sent."""
    batches = RecordBatchWriter()
    for key, value in records:
        batches.append(key, value)
    return batches.take()


def _end_behind(last: PackedBatch, offset: int) -> int | None:
    """Where the topic ends behind a transaction's last batch; a broker may have stored one and not know where."""
    return None if offset < 0 else offset + last.records + _MARKER


def _expect(answer: asyncio.Future[Any]) -> asyncio.Future[Any]:
    """Have an error in it logged by nobody: another of the same transaction has been raised already."""
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
    return answer
