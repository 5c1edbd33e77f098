"""Topics → Postgres: records into rows, rows and positions into one database transaction."""

from agents.sink.sql_sink import SqlSink

__all__ = ["SqlSink"]
