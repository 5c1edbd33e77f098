"""More records than a producer has room for."""

from typing import Any

from confluent_kafka import TopicPartition

from app.producing import produce_in_turn


class Full:
    """A producer whose queue is full until it was polled twice."""

    def __init__(self) -> None:
        self.polls = 0
        self.taken: list[tuple[Any, ...]] = []

    def produce(self, *record: Any, on_delivery: Any) -> None:
        if self.polls < 2:
            raise BufferError
        self.taken.append((*record, on_delivery))

    def poll(self, _timeout_s: float) -> None:
        self.polls += 1


def test_a_record_is_handed_over_once_when_there_is_room() -> None:
    producer: Any = Full()
    produce_in_turn(producer, TopicPartition("trades", 2), b"key", None, print)
    assert producer.taken == [("trades", None, b"key", 2, print)]
    assert producer.polls == 2
