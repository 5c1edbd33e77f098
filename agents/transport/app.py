"""A Faust app with batch topics beside its ordinary ones."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import faust
from aiokafka.client import AIOKafkaClient
from faust.exceptions import ImproperlyConfigured
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth, server_list
from faust.types import TP, TopicT
from faust.utils import cron
from mode.utils.objects import qualname

from agents.transport.assignor import Assignor
from agents.transport.connection import once_reached
from agents.transport.table_manager import BatchTableManager

if TYPE_CHECKING:
    from agents.transport.consumer import Consumer, Transport

log = logging.getLogger(__name__)

Function: TypeAlias = Callable[..., Awaitable[Any]]
Decorator: TypeAlias = Callable[[Function], Function]


class BatchSource(Protocol):
    """Takes what batch topics hold, and knows where their partitions go on. An app has one."""

    @property
    def name(self) -> str | None:
        """What people call it."""

    @property
    def outputs(self) -> Sequence[str]:
        """Topics and tables that it writes, in words for people."""

    async def assigned(self, partitions: set[TP]) -> None:
        """Get ready to be handed record sets of these partitions, all that the worker has now.

        It may take its time, and is cancelled when another rebalance comes; or leave a partition with no position, and
        have `read_batches` called once it has one. An exception ends the worker.
        """

    async def revoked(self) -> None:
        """Let go of all partitions: what is not committed is another worker's from now on."""

    def position(self, tp: TP) -> int | None:
        """The offset at which fetching goes on; None leaves the partition alone."""


class BatchApp(faust.App):
    """Faust's app; `batch_topic` makes topics whose agents get one `RecordSet` for each partition and fetch."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - Faust's own
        record_sets: int | None = None,
        fetch_wait_ms: int | None = None,
        standbys: int = 0,
        **options: Any,  # noqa: ANN401 - Faust's own
    ) -> None:
        """The stream of a batch topic has room for `record_sets`; others have as much room as in stock Faust.

        `fetch_wait_ms` lets the broker gather records so long for one fetch; without it each comes at once.

        `standbys` is how many other workers are to have each partition's state warm, Faust's own tables among them.
        """
        self.batch_topics: set[str] = set()
        self.record_sets = record_sets
        self.fetch_wait_ms = fetch_wait_ms
        self.batch_source: BatchSource | None = None
        super().__init__(
            *args,
            TableManager=BatchTableManager,
            PartitionAssignor=Assignor,
            table_standby_replicas=standbys,
            **options,
        )

    async def on_first_start(self) -> None:
        """Wait until a broker answers: all that starts next takes that for granted."""
        transport = cast("Transport", self.transport)  # ours, by the broker's address
        servers = server_list(transport.url, transport.default_port)
        client = AIOKafkaClient(bootstrap_servers=servers, **credentials_to_aiokafka_auth(self.conf.broker_credentials))
        try:
            await once_reached(client.bootstrap)
        finally:
            await client.close()
        await super().on_first_start()

    def topic(self, *topics: str, **options: Any) -> TopicT:  # noqa: ANN401 - Faust's own
        """An ordinary topic.

        Raises:
            ImproperlyConfigured: it is a batch topic, of which no agent can have one event a record.
        """
        if taken := sorted(self.batch_topics.intersection(topics)):
            raise ImproperlyConfigured(
                f"{', '.join(taken)}: this app reads it as whole record batches, and no agent of it can have one event "
                "a record: read what it makes of it, or read it in an app of your own"
            )
        return super().topic(*topics, **options)

    def batch_topic(self, name: str) -> TopicT:
        """A topic that is handed over as record sets, undecoded and not acked by offset."""
        self.batch_topics.add(name)
        topic = super().topic(name, key_serializer="raw", value_serializer="raw", acks=False, allow_empty=True)
        topic.maxsize = self.record_sets  # Faust's `topic` takes one, and drops it
        return topic

    # Faust shadows decorators of `Service` by these, which are other ones: mypy takes both for overridden.
    def task(self, fun: Function | None = None, **options: Any) -> Any:  # type: ignore[override]  # noqa: ANN401 - Faust's own
        """Faust's `task`, of which one that fails ends alone: Faust would end the worker."""
        decorate = failing_alone(super().task(**options))
        return decorate if fun is None else decorate(fun)

    def timer(self, *args: Any, **options: Any) -> Decorator:  # type: ignore[override]  # noqa: ANN401 - Faust's own
        """Faust's `timer`. After a call that fails the next one comes at its time."""
        return failing_alone(super().timer(*args, **options))

    def crontab(self, cron_format: str, **options: Any) -> Decorator:  # type: ignore[override]  # noqa: ANN401 - Faust's own
        """Faust's `crontab`, and the same.

        Raises:
            ValueError: `cron_format` is no time that ever comes, which Faust would first find once the worker runs.
        """
        cron.secs_for_next(cron_format)
        return failing_alone(super().crontab(cron_format, **options))

    def read_batches_from(self, source: BatchSource) -> None:
        """Let `source` decide where batch topics are read from after each rebalance."""
        self.batch_source = source
        self.on_partitions_revoked.connect(self._release_batches)

    def batch_position(self, tp: TP) -> int | None:
        """Where fetching of a batch partition goes on."""
        return None if self.batch_source is None else self.batch_source.position(tp)

    async def prepare_batches(self) -> None:
        """Get ready for the partitions of batch topics that are assigned now."""
        if self.batch_source is not None:
            await self.batch_source.assigned({tp for tp in self.consumer.assignment() if tp.topic in self.batch_topics})

    def batch_standbys(self) -> set[TP]:
        """Partitions of batch topics that others have now, and that this worker is to take over without a pause."""
        return {tp for tp in self.assignor.assigned_standbys() if tp.topic in self.batch_topics}

    async def read_batches(self, partitions: set[TP]) -> None:
        """Begin to fetch partitions that have a position now, and had none when the others were begun with."""
        await self._batch_consumer.seek_batches(partitions)

    async def commit_batches(self, offsets: Mapping[TP, int]) -> bool:
        """Store positions of batch topics as the group's offsets, for lag alone; whether they were stored."""
        return await self._batch_consumer.commit_positions(offsets)

    async def rejoin(self) -> None:
        """Have the group assign its partitions anew: all are revoked, assigned again and read from their positions."""
        await self._batch_consumer.rejoin()

    @property
    def _batch_consumer(self) -> "Consumer":
        return cast("Consumer", self.consumer)  # ours, by the transport of the broker's address

    async def _release_batches(self, *_args: Any, **_options: Any) -> None:  # noqa: ANN401 - a signal's
        if self.batch_source is not None:
            await self.batch_source.revoked()


def failing_alone(decorate: Decorator) -> Decorator:
    """The same decorator, for functions of a user's own: an error ends the call that it is raised in, and is told."""

    def decorated(function: Function) -> Function:
        @wraps(function)
        async def call(*args: Any) -> Any:  # noqa: ANN401 - the function's own
            try:
                return await function(*args)
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled_by(error):
                    raise
                log.exception("%s failed; the worker goes on", qualname(function))

        return decorate(call)

    return decorated


def is_cancelled_by(error: BaseException) -> bool:
    """Whether the running task was cancelled itself, and not only something that it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
