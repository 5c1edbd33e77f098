"""A partition is read to where it ended, and no further."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from app.log_reader import records_to_end


class Message:
    """A record as librdkafka hands it over, or what it tells in its place."""

    def __init__(self, offset: int, error: int | None = None) -> None:
        self._offset = offset
        self._error = None if error is None else KafkaError(error)

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return self._error


class Log:
    """A consumer's view of a partition; it says nothing where nothing is left."""

    def __init__(self, first: int, end: int, *messages: Message) -> None:
        self._bounds = first, end
        self._messages = list(messages)
        self.began_at: list[int] = []

    def get_watermark_offsets(self, _: TopicPartition, _timeout_s: float) -> tuple[int, int]:
        return self._bounds

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.began_at += [at.offset for at in partitions]

    def poll(self, _timeout_s: float) -> Message | None:
        return self._messages.pop(0) if self._messages else None


def offsets(log: Any) -> list[int]:
    return [message.offset() or 0 for message in records_to_end(log, "any", 0)]


def test_all_from_the_first_record_to_the_end_is_read_and_what_came_since_is_not() -> None:
    log = Log(3, 6, Message(3), Message(5), Message(6))
    assert (offsets(log), log.began_at) == ([3, 5], [3])


def test_a_log_that_ends_with_what_is_never_handed_over_is_read_to_its_end() -> None:
    assert offsets(Log(0, 4, Message(0), Message(2), Message(4, KafkaError._PARTITION_EOF))) == [0, 2]


def test_an_empty_log_is_not_waited_for() -> None:
    assert offsets(Log(4, 4)) == []


@pytest.mark.parametrize("told", [[], [Message(1, KafkaError.TOPIC_AUTHORIZATION_FAILED)]])
def test_a_broker_that_says_nothing_or_refuses_is_an_error(told: list[Message]) -> None:
    with pytest.raises(KafkaException):
        offsets(Log(0, 4, Message(0), *told))
