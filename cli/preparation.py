"""What the servers must have before the parts of a run begin: topics, schemas and tables; and the certificates."""

from app import topic_admin
from app.schema_registry import register_all
from app.settings import Settings
from cli.console import WrongSetting, step
from local import certificates


def prepare(settings: Settings) -> None:
    """Make what is not there yet."""
    certificates.ensure(settings.certs_dir)
    with step("topics", "as topics.yaml says"):
        topic_admin.apply(settings)
    with step("schemas", "registered"):
        register_all(settings)
    with step("database", settings.namespace):
        _make_tables(settings)


def _make_tables(settings: Settings) -> None:
    from psycopg import OperationalError  # noqa: PLC0415 - `livetape --help` should not wait for these
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - as above

    from app.database import migrate  # noqa: PLC0415 - as above

    try:
        migrate(settings)
    except (OperationalError, ArgumentError) as error:
        raise WrongSetting(f"Postgres: {error}\nis LIVETAPE_POSTGRES_URL right?") from error
