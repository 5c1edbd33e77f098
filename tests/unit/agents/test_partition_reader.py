"""What a reader of one partition makes of a broker that gives nothing: one that is away, and one that cannot read."""

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from aiokafka.errors import KafkaTimeoutError, RecordTooLargeError
from aiokafka.structs import TopicPartition

from agents.kernel import CorruptState
from agents.log_errors import CorruptRecords
from agents.partition_reader import POLLS, next_set, read_changelog, record_sets
from agents.transport import RecordSet

TP = TopicPartition("demo.trades", 0)
SET = RecordSet(TP.topic, 0, b"", 0, 3)
WITHOUT_END = RecordSet(TP.topic, 0, b"", 0, 0)
Given: TypeAlias = RecordSet | Exception | None


class Broker:
    """Stands where the consumer is; gives this, one by one, and then nothing."""

    def __init__(self, *given: Given, answers: Callable[[], bool] = lambda: True) -> None:
        self._given: Iterator[Given] = iter(given)
        self._answers = answers
        self._position = 0
        self.polls = 0

    def seek(self, _: TopicPartition, offset: int) -> None:
        self._position = offset

    async def position(self, _: TopicPartition) -> int:
        return self._position

    async def getmany(self, tp: TopicPartition, **_: int) -> dict[TopicPartition, list[Any]]:
        self.polls += 1
        given = next(self._given, None)
        if isinstance(given, Exception):
            raise given
        if given is None:
            return {}
        self._position = given.next_offset
        return {tp: [SimpleNamespace(value=given)]}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if not self._answers():
            raise KafkaTimeoutError
        return dict.fromkeys(partitions, 3)


@pytest.mark.parametrize("given", [(), (WITHOUT_END,), (RecordTooLargeError(),)])
async def test_what_has_no_end_is_damaged(given: tuple[Given, ...]) -> None:
    broker = Broker(*given)
    with pytest.raises(CorruptRecords, match="offset 0: "):
        await next_set(broker, TP)
    assert broker.polls == (len(given) or POLLS)


async def test_a_broker_that_gives_nothing_and_does_not_answer_is_away() -> None:
    with pytest.raises(KafkaTimeoutError):
        await next_set(Broker(answers=lambda: False), TP)


async def test_a_broker_that_is_away_for_longer_than_it_is_asked_is_waited_for() -> None:
    broker = Broker(*[None] * 2 * POLLS, SET, answers=lambda: False)
    assert [record_set async for record_set in record_sets(broker, TP, 0, 3)] == [SET]


async def test_a_changelog_with_a_batch_that_the_broker_cannot_read_is_corrupt() -> None:
    with pytest.raises(CorruptState, match="offset 3: the broker cannot read the batch there"):
        await read_changelog(Broker(SET), TP, 0, 6, lambda _: asyncio.sleep(0))
