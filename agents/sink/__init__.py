"""Topics → Postgres: records into rows, rows and positions into one database transaction."""

from agents.sink.sink import SqlSink

__all__ = ["SqlSink"]
