"""The client that asks about the cluster and changes it."""

from confluent_kafka.admin import AdminClient

from app.settings import Settings


def admin_client(settings: Settings) -> AdminClient:
    """Logs nothing: what goes wrong is raised."""
    return AdminClient({**settings.kafka_config, "log_level": 0})
