"""The topics of topics.yaml, read and checked; `app.topic_admin` makes a cluster agree with them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from app.aggregates import load_aggregates
from app.intervals import duration_ns
from app.settings import Settings
from app.unique_keys import load_yaml
from app.units import MILLISECOND_NS

BARS = frozenset({"livetape.Bar", "livetape.Live"})
"""Record types that the view of bars is made of, beside those of aggregates."""
AGGREGATES = "aggregates.*"
"""Stands in topics.yaml for one topic of each aggregate of the user's."""
AGGREGATES_CHANGELOG = "fold-aggregates-changelog"
NOT_IN_CONFIG = {
    "cleanup.policy": "say `cleanup` instead",
    "retention.ms": "say `retention` instead",
    "retention.bytes": "retention by size would drop records by traffic, not by age: say `retention` instead",
    "message.timestamp.type": "times are the broker's, so that retention follows arrival",
    "min.insync.replicas": "set LIVETAPE_MIN_INSYNC_REPLICAS instead",
}
"""Kafka's settings that a topic has by its other fields, or always, and what to do instead of saying them."""
ConfigValue = str | int | float | bool


class TopicsFileError(Exception):
    """topics.yaml is missing or says something livetape cannot follow; the message names the topic and the field."""


class Cleanup(StrEnum):
    """What becomes of old records."""

    DELETE = "delete"
    COMPACT = "compact"


def _read_duration(text: object) -> object:
    """What is no text is left for the type check."""
    return duration_ns(text) if isinstance(text, str) else text


def _check_config(config: dict[str, ConfigValue]) -> dict[str, ConfigValue]:
    refused = [f"{key}: {remedy}" for key, remedy in NOT_IN_CONFIG.items() if key in config]
    if refused:
        raise ValueError("; ".join(refused))
    return config


class Topic(BaseModel):
    """One topic as topics.yaml declares it; `name` has no namespace, `schemas` are full record names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    key: str
    schemas: tuple[str, ...]
    partitions: Annotated[int, Field(ge=1, le=10_000)]
    cleanup: Cleanup
    retention_ns: Annotated[int | None, BeforeValidator(_read_duration), Field(alias="retention", gt=0)] = None
    batch: bool = False
    view: bool = False
    config: Annotated[dict[str, ConfigValue], AfterValidator(_check_config)] = {}

    @model_validator(mode="after")
    def _retention_suits_cleanup(self) -> "Topic":
        if (self.cleanup is Cleanup.DELETE) != (self.retention_ns is not None):
            raise ValueError("`cleanup: delete` needs a `retention`, and `cleanup: compact` takes none")
        is_of_bars = self.name == AGGREGATES or BARS & set(self.schemas)
        if self.view and self.cleanup is Cleanup.DELETE and not is_of_bars:
            raise ValueError("`view: true` is for topics of bars and for changelogs of tables, `cleanup: compact`")
        return self

    def kafka_config(self, settings: Settings) -> dict[str, str]:
        """Every Kafka setting of this topic; timestamps are the broker's, so that retention follows arrival."""
        retention_ms = -1 if self.retention_ns is None else self.retention_ns // MILLISECOND_NS
        own = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in self.config.items()}
        return {
            "cleanup.policy": self.cleanup.value,
            "retention.ms": str(retention_ms),
            "retention.bytes": "-1",
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(settings.min_insync_replicas),
            **own,
        }


_File = TypeAdapter(dict[str, dict[str, Any]])


def read_topics(path: Path) -> dict[str, Topic]:
    """Every topic of a topics.yaml by its name without namespace.

    Raises:
        TopicsFileError: the file is missing, no YAML, names a key twice, or a topic's field is wrong.
    """
    try:
        declared = _File.validate_python(load_yaml(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TopicsFileError(
            f"{path}: {error.strerror}: set LIVETAPE_TOPICS_FILE to the project's topics.yaml"
        ) from error
    except UnicodeDecodeError as error:
        raise TopicsFileError(f"{path}: it must be UTF-8: {error}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise TopicsFileError(f"{path}: {error}") from error
    return {name: _read_topic(path, declared, name) for name in declared}


def _read_topic(path: Path, declared: dict[str, dict[str, Any]], name: str) -> Topic:
    try:
        return Topic(name=name, **_with_partitions(declared, declared[name]))
    except (TypeError, ValidationError) as error:
        raise TopicsFileError(f"{path}: topic {name}: {error}") from error


def _with_partitions(declared: dict[str, dict[str, Any]], fields: dict[str, Any]) -> dict[str, Any]:
    """A topic's fields with the partitions of the topic that it copies, where it names one."""
    source = fields.get("partitions")
    if not isinstance(source, str) or source not in declared:
        return fields
    return {**fields, "partitions": declared[source].get("partitions")}


def load_topics(settings: Settings) -> dict[str, Topic]:
    """The topics of the settings' topics.yaml by their name without namespace, those of users' aggregates with them."""
    topics = read_topics(settings.topics_file)
    aggregates = load_aggregates(settings)
    if not aggregates:
        return {name: topic for name, topic in topics.items() if name not in (AGGREGATES, AGGREGATES_CHANGELOG)}
    if not {AGGREGATES, AGGREGATES_CHANGELOG} <= topics.keys():
        needed = f"{AGGREGATES} and {AGGREGATES_CHANGELOG}"
        raise TopicsFileError(f"{settings.topics_file}: the topics {needed}, which aggregates need, are not there")
    template = topics.pop(AGGREGATES)
    for each in aggregates:
        topics[each.topic] = template.model_copy(update={"name": each.topic, "schemas": (each.record,)})
    return topics
