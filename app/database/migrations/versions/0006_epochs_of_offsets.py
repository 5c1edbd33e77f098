"""The topic's id beside the offset in the keys of trade_correction, gap and dead_letter.

A topic that was made anew has the same offsets again, and what had one before stood in its way.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COMMENT = "Kafka's id of the topic: made anew, it has another; empty in rows that are older than this column"
TABLES = {
    "trade_correction": (["partition", "offset"], "current_database() || '.trades'"),
    "gap": (["partition", "offset"], "current_database() || '.gaps'"),
    "dead_letter": (["topic", "partition", "offset"], "dead_letter.topic"),
}
"""By name: the key that was, and the full name of the topic."""

# What is at an offset that is not stored yet is of a topic before: it must not stand in the way of what comes.
STORED = """
    UPDATE {table} SET epoch = stream_offset.epoch FROM stream_offset
    WHERE stream_offset.topic = {topic} AND stream_offset.partition = {table}.partition
      AND {table}."offset" < stream_offset.next_offset
"""


def upgrade() -> None:
    """Add the column to tables and keys; rows that are there are of the topic that is stored, as far as it is."""
    for table, (key, topic) in TABLES.items():
        op.add_column(table, sa.Column("epoch", sa.Text(), nullable=False, server_default="", comment=COMMENT))
        op.alter_column(table, "epoch", server_default=None)
        op.execute(STORED.format(table=table, topic=topic))
        op.drop_constraint(f"{table}_pkey", table, type_="primary")
        op.create_primary_key(f"{table}_pkey", table, [*key, "epoch"])
