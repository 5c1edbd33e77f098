"""Where the logs of partitions begin and end, and how far they are decided."""

import time
from collections.abc import Collection
from typing import Final

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from faust.types import TP

from app.kafka_admin import admin_client
from app.settings import Settings

TIMEOUT_S: Final = 30.0
AGAIN_S: Final = 0.1
LEADER_IS_CHANGING: Final = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
}
"""What a broker says of a partition while it comes back, and librdkafka does not ask again."""


def log_bounds(settings: Settings, partitions: Collection[TP]) -> dict[TP, tuple[int, int]]:
    """First and next offset of each partition. Waits for the broker; raises KafkaException when it refuses."""
    admin = admin_client(settings)
    first, end = (_offsets(admin, partitions, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
    return {tp: (first[tp], end[tp]) for tp in partitions}


def undecided(settings: Settings, partitions: Collection[TP]) -> dict[TP, tuple[int, int]]:
    """Those of them that have records of a transaction which was neither committed nor aborted.

    Gives the offset of the first such record, and where the log ends.

    Waits for the broker; raises KafkaException when it refuses.
    """
    admin = admin_client(settings)
    ends = _offsets(admin, partitions, OffsetSpec.latest())
    stable = _offsets(admin, partitions, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
    return {tp: (stable[tp], ends[tp]) for tp in partitions if stable[tp] < ends[tp]}


def _offsets(
    admin: AdminClient,
    partitions: Collection[TP],
    spec: OffsetSpec,
    isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
) -> dict[TP, int]:
    wanted = {TopicPartition(*tp): spec for tp in partitions}
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        asked = admin.list_offsets(wanted, isolation_level=isolation, request_timeout=TIMEOUT_S)
        try:
            return {TP(at.topic, at.partition): found.result(TIMEOUT_S).offset for at, found in asked.items()}
        except KafkaException as error:
            if error.args[0].code() not in LEADER_IS_CHANGING or time.monotonic() > deadline_s:
                raise
        time.sleep(AGAIN_S)


def appended_until(settings: Settings, tp: TP) -> int:
    """When the log took its last record, in ms since 1970; -1 when it has none."""
    admin = admin_client(settings)
    asked = admin.list_offsets({TopicPartition(*tp): OffsetSpec.max_timestamp()}, request_timeout=TIMEOUT_S)
    return max(int(found.result(TIMEOUT_S).timestamp) for found in asked.values())


def offsets_since(settings: Settings, partitions: Collection[TP], since_ms: int) -> dict[TP, int]:
    """Offset of each partition's first record appended at a time in ms since 1970 or later; the end without one."""
    admin = admin_client(settings)
    found = _offsets(admin, partitions, OffsetSpec.for_timestamp(since_ms))
    ends = _offsets(admin, partitions, OffsetSpec.latest())
    return {tp: ends[tp] if offset < 0 else offset for tp, offset in found.items()}
