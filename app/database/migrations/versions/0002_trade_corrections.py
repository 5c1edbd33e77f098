"""Corrections and cancellations in a table of their own: one may have the id of the trade that it is about."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOVE = """
    INSERT INTO trade_correction (
           partition, "offset", venue, instrument, action, refers_to, trade_id, trade_seq, price, size, aggressor,
           event_time_ns, receive_time_ns, conditions, source
    )
    SELECT partition, "offset", venue, instrument, action, refers_to, trade_id, trade_seq, price, size, aggressor,
           event_time_ns, receive_time_ns, conditions, source
    FROM trade WHERE action <> 'trade'
"""


def upgrade() -> None:
    """Make it, and move what is there."""
    op.create_table(
        "trade_correction",
        sa.Column(
            "partition", sa.BigInteger(), autoincrement=False, nullable=False, comment="Partition of the topic trades"
        ),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False, comment="Offset in that partition"),
        sa.Column("venue", sa.Text(), nullable=False, comment="Lower-case name of the venue"),
        sa.Column("instrument", sa.Text(), nullable=False, comment="Canonical name, BASE-QUOTE"),
        sa.Column("action", sa.Text(), nullable=False, comment="correct replaces a trade, cancel takes one away"),
        sa.Column("refers_to", sa.Text(), nullable=True, comment="trade_id of the trade that it is about"),
        sa.Column(
            "trade_id",
            sa.Text(),
            nullable=False,
            comment="The venue's own id of the trade in its place, or of the message",
        ),
        sa.Column(
            "trade_seq",
            sa.BigInteger(),
            nullable=True,
            comment="The venue's own order number within the instrument; null where it has none",
        ),
        sa.Column(
            "price",
            sa.Numeric(),
            nullable=False,
            comment="Price of one unit of base currency, in quote currency; of a cancel, whatever the venue said",
        ),
        sa.Column(
            "size",
            sa.Numeric(),
            nullable=False,
            comment="Quantity traded, in base currency; of a cancel, whatever the venue said",
        ),
        sa.Column(
            "aggressor",
            sa.Text(),
            nullable=False,
            comment="Side of the order that took liquidity: buy, sell or unknown",
        ),
        sa.Column(
            "event_time_ns",
            sa.BigInteger(),
            nullable=False,
            comment="When it happened by the venue's clock, in nanoseconds since 1970-01-01T00:00:00Z",
        ),
        sa.Column(
            "receive_time_ns",
            sa.BigInteger(),
            nullable=False,
            comment="When the bridge read it, in nanoseconds since 1970-01-01T00:00:00Z",
        ),
        sa.Column(
            "conditions",
            sa.ARRAY(sa.Text()),
            nullable=False,
            comment="The venue's own trade condition codes, in its order",
        ),
        sa.Column(
            "source",
            sa.Text(),
            nullable=False,
            comment="live from the stream, backfill from the venue's history, replay of a recording",
        ),
        sa.PrimaryKeyConstraint("partition", "offset"),
        comment="Every correction and cancellation as it came, one delivered twice too; bars have them, trade has not",
    )
    op.create_index("trade_correction_by_trade", "trade_correction", ["venue", "instrument", "refers_to"], unique=False)
    op.execute(MOVE)
    op.execute("DELETE FROM trade WHERE action <> 'trade'")
    op.drop_column("trade", "action")
    op.drop_column("trade", "refers_to")
