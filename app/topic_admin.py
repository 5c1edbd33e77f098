"""Make a cluster's topics agree with topics.yaml, and refuse whatever would lose data.

`plan` decides and touches nothing; `apply` reads the cluster, plans, and carries the plan out only when nothing in it
is refused.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from app.kafka_admin import admin_client, check_answers
from app.settings import Settings
from app.topics import Topic, load_topics
from app.units import SECOND_NS

TIMEOUT_S = 30.0
BASE_BAR_BYTES = 256  # one base bar in the fold's memory with its index entries, rounded up
HASHED_ID_BYTES = 32  # one 128-bit trade id in a half-full hash set
_ANEW = "It is empty: if a broker made it by itself (auto.create.topics.enable), delete it and apply again"


class TopicError(Exception):
    """The cluster cannot be made to agree with topics.yaml; the message lists every reason."""


class TopicsRefused(TopicError):
    """Applying topics.yaml would lose data."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("nothing was changed:\n" + "\n".join(f"  {reason}" for reason in self.reasons))


@dataclass(frozen=True)
class ClusterTopic:
    """A topic as the cluster has it; `config` holds only what was asked for."""

    partitions: int
    replication: int
    config: Mapping[str, str]
    is_empty: bool


@dataclass(frozen=True)
class Action:
    """One thing to do to a topic, `what` in words for people."""

    topic: Topic
    name: str
    create: bool = False
    partitions: int | None = None
    config: tuple[tuple[str, str], ...] = ()

    @property
    def what(self) -> str:
        """The action in words; `unchanged` when there is none."""
        if self.create:
            return "created"
        changes = [f"partitions = {self.partitions}"] if self.partitions else []
        changes += [f"{key} = {value}" for key, value in self.config]
        return ", ".join(changes) or "unchanged"


def plan(topics: Mapping[str, Topic], cluster: Mapping[str, ClusterTopic], settings: Settings) -> list[Action]:
    """What makes the cluster agree; `cluster` is keyed by full names.

    Raises:
        TopicsRefused: some part of it would lose data; nothing else is done then either.
    """
    reasons = _settings_reasons(topics, settings)
    actions = []
    for topic in topics.values():
        name = settings.topic(topic.name)
        existing = cluster.get(name)
        if existing is None:
            actions.append(Action(topic, name, create=True))
            continue
        reasons += [f"{name}: {reason}" for reason in _loss_reasons(topic, existing, settings)]
        actions.append(_difference(topic, name, existing, settings))
    if reasons:
        raise TopicsRefused(reasons)
    return actions


def apply(settings: Settings) -> list[Action]:
    """Create and alter the namespace's topics; a second call finds all of them unchanged.

    Raises:
        TopicsRefused: it would lose data.
        TopicError: the cluster refuses.
        KafkaAway: it does not answer.
        TopicsFileError: topics.yaml is wrong.
    """
    topics = load_topics(settings)
    check_answers(settings)
    client = admin_client(settings)
    try:
        actions = plan(topics, read_cluster(client, settings, topics), settings)
        _carry_out(client, actions, settings)
    except KafkaException as error:
        raise TopicError(f"Kafka at {settings.kafka_bootstrap}: {error.args[0].str()}") from error
    return actions


def read_cluster(client: AdminClient, settings: Settings, topics: Mapping[str, Topic]) -> dict[str, ClusterTopic]:
    """The namespace's declared topics as the cluster has them, by full name; missing ones are left out."""
    present = client.list_topics(timeout=TIMEOUT_S).topics
    found = {settings.topic(name): topic for name, topic in topics.items() if settings.topic(name) in present}
    configs = _configs(client, {name: topic.kafka_config(settings) for name, topic in found.items()})
    return {
        name: ClusterTopic(
            partitions=len(present[name].partitions),
            replication=len(present[name].partitions[0].replicas),
            config=configs[name],
            is_empty=_is_empty(client, name, len(present[name].partitions)),
        )
        for name in found
    }


def horizon_memory(settings: Settings) -> str:
    """What the correction horizon costs in memory, in words."""
    seconds = settings.horizon_ns // SECOND_NS
    kilobytes = seconds * BASE_BAR_BYTES // 1024
    return (
        f"A correction horizon of {seconds} s keeps up to {seconds} one-second bars an instrument in memory: "
        f"{kilobytes} KiB, or {kilobytes * 1000 // 1024} MiB for 1,000 busy instruments. Trade ids without order cost "
        f"{HASHED_ID_BYTES} bytes each for that time. Twice the horizon costs twice that."
    )


def _settings_reasons(topics: Mapping[str, Topic], settings: Settings) -> list[str]:
    reasons = []
    if settings.min_insync_replicas > settings.replication_factor:
        reasons.append(
            f"min_insync_replicas {settings.min_insync_replicas} is more than replication_factor "
            f"{settings.replication_factor}: no write would succeed"
        )
    trades = topics.get("trades")
    needed_ns = settings.horizon_ns + settings.longest_outage_ns
    if trades is not None and (trades.retention_ns or 0) < needed_ns:
        reasons.append(
            f"{settings.topic('trades')}: its retention of {_seconds(trades.retention_ns)} is shorter than "
            f"the horizon plus the longest outage, {_seconds(needed_ns)}: trades would be gone before the fold reads "
            "them. Lengthen `retention`, or shorten LIVETAPE_HORIZON_NS or LIVETAPE_LONGEST_OUTAGE_NS"
        )
    return reasons


def _loss_reasons(topic: Topic, existing: ClusterTopic, settings: Settings) -> list[str]:
    """Why bringing an existing topic to what is declared would lose records, or their order by key."""
    reasons = []
    if topic.partitions < existing.partitions:
        reasons.append(f"Kafka cannot take partitions away ({existing.partitions}, declared {topic.partitions})")
    if existing.replication != settings.replication_factor:
        reasons.append(
            f"it has {existing.replication} replicas and the settings say {settings.replication_factor}: "
            "move replicas with Kafka's own kafka-reassign-partitions"
        )
    if existing.is_empty:
        return [f"{reason}. {_ANEW}" for reason in reasons]
    if topic.partitions > existing.partitions:
        reasons.append(
            f"it has records, and {topic.partitions} partitions instead of {existing.partitions} would move its keys: "
            "use another namespace, or a new topic"
        )
    wanted = topic.kafka_config(settings)
    if wanted["cleanup.policy"] not in existing.config["cleanup.policy"].split(","):
        reasons.append(f"it has records, and cleanup {wanted['cleanup.policy']} would drop some of them")
    if _retention_ms(wanted) < _retention_ms(existing.config):
        reasons.append(
            f"it has records, and a retention of {wanted['retention.ms']} ms instead of "
            f"{existing.config['retention.ms']} ms would drop them earlier than promised"
        )
    return reasons


def _difference(topic: Topic, name: str, existing: ClusterTopic, settings: Settings) -> Action:
    wanted = topic.kafka_config(settings)
    changed = tuple((key, value) for key, value in wanted.items() if existing.config.get(key) != value)
    return Action(
        topic, name, partitions=topic.partitions if topic.partitions > existing.partitions else None, config=changed
    )


def _carry_out(client: AdminClient, actions: list[Action], settings: Settings) -> None:
    new = [
        NewTopic(
            action.name,
            num_partitions=action.topic.partitions,
            replication_factor=settings.replication_factor,
            config=action.topic.kafka_config(settings),
        )
        for action in actions
        if action.create
    ]
    grown = [NewPartitions(action.name, action.partitions) for action in actions if action.partitions]
    altered = [_alteration(action) for action in actions if action.config]
    futures = [
        *(client.create_topics(new, operation_timeout=TIMEOUT_S) if new else {}).values(),
        *(client.create_partitions(grown) if grown else {}).values(),
        *(client.incremental_alter_configs(altered) if altered else {}).values(),
    ]
    for future in futures:
        future.result(TIMEOUT_S)
    _wait_until_served(client, {action.name: action.topic.partitions for action in actions})


def _alteration(action: Action) -> ConfigResource:
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in action.config]
    return ConfigResource(ResourceType.TOPIC, action.name, incremental_configs=entries)


def _wait_until_served(client: AdminClient, partitions: Mapping[str, int]) -> None:
    """Wait until every partition's leader answers, so that the first client after us meets no unknown topic."""
    deadline = time.monotonic() + TIMEOUT_S
    while not _is_served(client, partitions):
        if time.monotonic() > deadline:
            raise TopicError(f"some partitions had no leader after {TIMEOUT_S:.0f} s: look at the brokers")
        time.sleep(0.05)


def _is_served(client: AdminClient, partitions: Mapping[str, int]) -> bool:
    present = client.list_topics(timeout=TIMEOUT_S).topics
    if any(name not in present or len(present[name].partitions) != count for name, count in partitions.items()):
        return False
    try:
        for name, count in partitions.items():
            _offsets(client, name, count, OffsetSpec.latest())
    except KafkaException:
        return False
    return True


def _configs(client: AdminClient, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    if not wanted:
        return {}
    futures = client.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in wanted])
    answers = {resource.name: future.result(TIMEOUT_S) for resource, future in futures.items()}
    return {
        name: {key: str(answers[name][key].value) for key in keys if key in answers[name]}
        for name, keys in wanted.items()
    }


def _is_empty(client: AdminClient, name: str, partitions: int) -> bool:
    earliest = _offsets(client, name, partitions, OffsetSpec.earliest())
    return earliest == _offsets(client, name, partitions, OffsetSpec.latest())


def _offsets(client: AdminClient, name: str, partitions: int, spec: OffsetSpec) -> list[int]:
    futures = client.list_offsets({TopicPartition(name, number): spec for number in range(partitions)})
    return [future.result(TIMEOUT_S).offset for future in futures.values()]


def _retention_ms(config: Mapping[str, str]) -> float:
    milliseconds = int(config["retention.ms"])
    return float("inf") if milliseconds < 0 else milliseconds


def _seconds(duration_ns: int | None) -> str:
    return "none" if duration_ns is None else f"{duration_ns // SECOND_NS} s"
