"""Topics → Postgres: records into rows, rows and positions into one database transaction."""

from agents.sink.gathering import SqlSink

__all__ = ["SqlSink"]
