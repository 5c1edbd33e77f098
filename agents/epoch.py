"""The identity of the log that bars are folded from: the same offsets in another log are other trades."""

from typing import Final

from confluent_kafka import TopicCollection

from app.kafka_admin import admin_client
from app.settings import Settings

FIRST_GENERATION: Final = 0
FROM_START: Final = -1
"""The next offset of a progress that a reset leaves: the fold begins wherever the log begins by then."""
TIMEOUT_S: Final = 30.0


class EpochMismatch(Exception):
    """The state was folded from another log than the one that is there now; the message says which, and what to do."""


class RecordsGone(EpochMismatch):
    """The log begins after what is stored has come to: records between are gone by retention, and no state has them."""

    def __init__(self, message: str, topic: str, next_offset: int) -> None:
        """`next_offset` of `topic` is the first that is not in what is stored."""
        super().__init__(message)
        self.topic = topic
        self.next_offset = next_offset


def epoch_of(settings: Settings, topic: str) -> str:
    """Kafka's own id of the topic: deleting the topic and making it again gives another. Waits for the broker."""
    return topic_ids(settings, topic)[0]


def topic_ids(settings: Settings, *topics: str) -> list[str]:
    """The same of several topics."""
    admin = admin_client(settings)
    described = admin.describe_topics(TopicCollection(list(topics)), request_timeout=TIMEOUT_S)
    return [str(described[topic].result(TIMEOUT_S).topic_id) for topic in topics]


def check_progress(
    topic: str, *, recorded: str, current: str, next_offset: int, first: int, end: int, remedy: str
) -> None:
    """Refuse to go on from a progress that does not belong to the log; `remedy` says what can be done then.

    Raises:
        EpochMismatch: the topic was made anew, or ends before the progress.
        RecordsGone: it begins after it.
    """
    if recorded != current:
        raise EpochMismatch(f"{topic} has id {current}, and what is stored came from {recorded}: {remedy}")
    if next_offset > end:
        raise EpochMismatch(f"{topic} ends at offset {end}, and what is stored has come to {next_offset}: {remedy}")
    if next_offset < first:
        raise RecordsGone(
            f"{topic} begins at offset {first}, and what is stored has come to {next_offset} only: the "
            f"records between are gone by retention. {remedy}",
            topic,
            next_offset,
        )
