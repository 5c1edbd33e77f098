"""What every reset of a state does: no worker runs, records are deleted, and the group's offsets are moved."""

import time
from typing import Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    MemberDescription,
    ResourceType,
)

from app.kafka_admin import admin_client
from app.settings import Settings

TIMEOUT_S: Final = 30.0
NOTICE_S: Final = 2.0
POLL_S: Final = 0.2


class ResetRefused(Exception):
    """The state cannot be reset now; the message says why, and what to do."""


def refuse_running(settings: Settings, part: str) -> None:
    """Wait for the group to be empty as long as it takes to notice that a worker was killed; `part` is fold or join.

    Raises:
        ResetRefused: somebody runs.
        KafkaException: the broker refuses or does not answer.
    """
    group = f"{settings.namespace}.{part}"
    admin = admin_client(settings)
    deadline = time.monotonic() + settings.session_timeout_ms / 1_000 + NOTICE_S
    while members := _members(admin, group):
        if time.monotonic() > deadline:
            clients = ", ".join(sorted({member.host for member in members}))
            raise ResetRefused(
                f"{len(members)} {part} workers of {settings.namespace} run on {clients}: stop them first"
            )
        time.sleep(POLL_S)


def _members(admin: AdminClient, group: str) -> list[MemberDescription]:
    try:
        found = admin.describe_consumer_groups([group], request_timeout=TIMEOUT_S)[group].result(TIMEOUT_S).members
    except KafkaException as error:
        if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise  # a broker that does not answer does not say that nobody runs
        return []
    return list(found)


def delete_before(settings: Settings, before: TopicPartition) -> None:
    """Delete what a compacted topic has before an offset, or a worker would still read what its state was refused for.

    Kafka deletes records of a topic only while its policy allows deletion; nothing else is deleted by that meanwhile,
    since the topic has no retention by time or size.

    Raises:
        ResetRefused: the broker does not let it be done.
        KafkaException: the broker refuses or does not answer.
    """
    admin = admin_client(settings)
    _set_cleanup(admin, before.topic, "compact,delete")
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not _is_deleted(admin, before):
            if time.monotonic() > deadline:
                raise ResetRefused(f"the broker does not let records of {before.topic} be deleted: run the reset again")
            time.sleep(POLL_S)
    finally:
        _set_cleanup(admin, before.topic, "compact")


def _is_deleted(admin: AdminClient, before: TopicPartition) -> bool:
    """Whether the records are gone; the broker hears of the new policy a moment after it was set."""
    try:
        admin.delete_records([before], operation_timeout=TIMEOUT_S)[before].result(TIMEOUT_S)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.POLICY_VIOLATION:
            return False
        raise
    return True


def _set_cleanup(admin: AdminClient, topic: str, policy: str) -> None:
    entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(TIMEOUT_S)


def move_group(settings: Settings, part: str, places: list[TopicPartition]) -> None:
    """Let the group's offsets show the lag that there is now; they decide nothing."""
    group = f"{settings.namespace}.{part}"
    admin = admin_client(settings)
    moved = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)], request_timeout=TIMEOUT_S)
    moved[group].result(TIMEOUT_S)
