"""The topics that a peer writes its bars to."""

from collections.abc import Collection

from confluent_kafka.admin import AdminClient, NewTopic

from app.settings import Settings


def create(settings: Settings, names: Collection[str], partitions: int) -> None:
    """Make them. The engines stamp bars with their event time, which is long ago: retention would delete them at once.

    Raises:
        KafkaException: the broker refuses one.
    """
    config = {"retention.ms": "-1"}
    topics = [NewTopic(name, num_partitions=partitions, replication_factor=1, config=config) for name in names]
    admin = AdminClient(settings.kafka_config)  # kept until the answers are there: its end would end the requests too
    for created in admin.create_topics(topics).values():
        created.result()
