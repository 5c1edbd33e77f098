"""A look at the cluster's topics before anything is folded: what is missing would only be waited for, in silence."""

from collections.abc import Collection
from typing import Final

from app.kafka_admin import admin_client
from app.settings import Settings

TIMEOUT_S: Final = 30.0
_REMEDY: Final = "`livetape topics apply` makes the cluster agree with topics.yaml"


class TopicsUnfit(Exception):
    """Topics are missing, or have other partitions than their source; the message names them."""


def partitions_of(settings: Settings, names: Collection[str]) -> dict[str, int]:
    """How many partitions each of these topics has, by its full name.

    Raises:
        TopicsUnfit: some are not there.
        KafkaException: the broker does not answer.
    """
    present = admin_client(settings).list_topics(timeout=TIMEOUT_S).topics
    missing = [name for name in names if name not in present]
    if missing:
        raise TopicsUnfit(f"these topics are not there: {', '.join(missing)}. {_REMEDY}")
    return {name: len(present[name].partitions) for name in names}


def check_topics(settings: Settings, source: str, *others: str) -> int:
    """Make sure that the source and all others are there, with as many partitions; how many. Names have no namespace.

    Raises:
        TopicsUnfit: they are not.
        KafkaException: the broker does not answer.
    """
    names = [settings.topic(name) for name in (source, *others)]
    partitions = partitions_of(settings, names)
    differing = [f"{name} has {count}" for name, count in partitions.items() if count != partitions[names[0]]]
    if differing:
        raise TopicsUnfit(f"{names[0]} has {partitions[names[0]]} partitions, and {', '.join(differing)}. {_REMEDY}")
    return partitions[names[0]]
