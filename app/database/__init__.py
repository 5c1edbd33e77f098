"""The namespace's database: its tables, and the migrations that make them."""

import logging
from importlib.resources import as_file, files
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from app.aggregates import load_aggregates
from app.database.aggregate_tables import make_tables
from app.settings import Settings

log = logging.getLogger(__name__)

LOCK: Final = 0x6C74_6D67  # any number that every process agrees on
CONNECT_S: Final = 10


def conninfo(settings: Settings, database: str | None = None) -> str:
    """psycopg's address of the namespace's database, or of another on the same server."""
    url = make_url(settings.database_url)
    named = url.translate_connect_args(username="user", database="dbname")
    return make_conninfo(**{**named, **url.query, "dbname": database or url.database})


def migrate(settings: Settings) -> None:
    """Create the database if it is missing and bring its tables up to date; several processes may do so at once.

    Those of users' aggregates are made too. A newer release's tables stay as they are: behind 0007 each
    migration only adds, so that processes of both may run side by side while one after the other is replaced.

    Raises:
        psycopg.OperationalError, sqlalchemy.exc.OperationalError: Postgres does not answer or refuses the role.
        AggregatesUnfit: an aggregate does not fit its table.
    """
    _create_database(settings)
    engine = create_engine(settings.database_url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_S})
    with as_file(files(__name__) / "migrations") as folder, engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        if _knows_revision(config, connection):
            command.upgrade(config, "head")
        else:
            log.warning("the tables are of a newer release, and stay as they are")
        make_tables(connection, load_aggregates(settings))


def _knows_revision(config: Config, connection: Connection) -> bool:
    """Whether the tables are as this release or one of before made them, or are not there yet."""
    made_by = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    return made_by is None or made_by in known


def _create_database(settings: Settings) -> None:
    """Advisory locks count within one database: `postgres` is the one that all can meet in."""
    name = settings.namespace
    with psycopg.connect(conninfo(settings, "postgres"), autocommit=True, connect_timeout=CONNECT_S) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
