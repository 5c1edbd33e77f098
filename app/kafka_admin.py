"""The client that asks about the cluster and changes it."""

from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from app.settings import Settings

CONNECT_TIMEOUT_S: Final = 10.0
"""What somebody at a terminal waits for a broker. A part that runs by itself is more patient."""


class KafkaAway(Exception):
    """Kafka does not answer; the message says where it was asked, and what to do."""


def admin_client(settings: Settings) -> AdminClient:
    """Logs nothing: what goes wrong is raised."""
    return AdminClient({**settings.kafka_config, "log_level": 0})


def check_answers(settings: Settings) -> None:
    """Make sure that Kafka answers, before a command asks it for more.

    Raises:
        KafkaAway: it does not.
        KafkaException: its client cannot be made with these settings.
    """
    client = admin_client(settings)
    try:
        client.list_topics(timeout=CONNECT_TIMEOUT_S)
    except KafkaException as error:
        raise KafkaAway(
            f"Kafka at {settings.kafka_bootstrap} does not answer: {error.args[0].str()}\n"
            "`livetape up` starts one on this machine; of another one look at LIVETAPE_KAFKA_BOOTSTRAP, and at "
            "LIVETAPE_KAFKA_CLIENT where it wants TLS or a password"
        ) from error
