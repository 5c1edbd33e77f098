"""First tables: trade, bar, bar_revision, gap, dead_letter and stream_offset, and the view bar_vwap."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# In quote currency, to 18 places, null for a bar without volume; numeric rounds half away from zero. A quotient has as
# many places as its longer operand, or 16 digits: so notional is given its 36 places, and loses none.
BAR_VWAP = """
    CREATE VIEW bar_vwap AS
    SELECT bar.*,
           timestamptz 'epoch' + start_ns / 1000 * interval '1 microsecond' AS start_time,
           round(round(notional, 36) / nullif(volume, 0), 18) AS vwap
    FROM bar
"""


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "bar",
        sa.Column("venue", sa.Text(), nullable=False, comment="Lower-case name of the venue"),
        sa.Column("instrument", sa.Text(), nullable=False, comment="Canonical name, BASE-QUOTE"),
        sa.Column("interval", sa.Text(), nullable=False, comment="Length of the window: 1s 5s 1m 5m 15m 1h 1d"),
        sa.Column(
            "start_ns",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Start of the window, included, in nanoseconds since 1970-01-01T00:00:00Z",
        ),
        sa.Column("day", sa.Date(), nullable=False, comment="UTC day of start_ns; the table is partitioned by it"),
        sa.Column("open", sa.Numeric(), nullable=False, comment="Price of the first trade, in quote currency"),
        sa.Column("high", sa.Numeric(), nullable=False, comment="Highest price, in quote currency"),
        sa.Column("low", sa.Numeric(), nullable=False, comment="Lowest price, in quote currency"),
        sa.Column("close", sa.Numeric(), nullable=False, comment="Price of the last trade, in quote currency"),
        sa.Column("volume", sa.Numeric(), nullable=False, comment="Sum of the sizes, in base currency"),
        sa.Column("notional", sa.Numeric(), nullable=False, comment="Sum of price times size, in quote currency"),
        sa.Column("trade_count", sa.BigInteger(), nullable=False, comment="Number of trades"),
        sa.Column(
            "missing",
            sa.BigInteger(),
            nullable=True,
            comment="Number of trades known to be missing; null where ids cannot tell",
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="final, or revised when a late trade changed it after"),
        sa.Column(
            "revision",
            sa.BigInteger(),
            nullable=False,
            comment="0 for the first final bar, one more for each later change",
        ),
        sa.Column(
            "generation", sa.BigInteger(), nullable=False, comment="How often the state was reset; the higher outranks"
        ),
        sa.Column("epoch", sa.Text(), nullable=False, comment="Identity of the log that the bar was folded from"),
        sa.Column(
            "seq",
            sa.BigInteger(),
            nullable=False,
            comment="Offset in trades of the last record that changed or finalised the bar",
        ),
        sa.Column(
            "partition", sa.BigInteger(), nullable=False, comment="Partition of trades that the bar was folded from"
        ),
        sa.Column(
            "first_offset", sa.BigInteger(), nullable=False, comment="Lowest offset in trades of the bar's trades"
        ),
        sa.Column(
            "last_offset", sa.BigInteger(), nullable=False, comment="Highest offset in trades of the bar's trades"
        ),
        sa.Column(
            "first_trade_id", sa.Text(), nullable=False, comment="The venue's id of the trade that gave the open"
        ),
        sa.Column(
            "last_trade_id", sa.Text(), nullable=False, comment="The venue's id of the trade that gave the close"
        ),
        sa.PrimaryKeyConstraint("venue", "instrument", "interval", "start_ns", "day"),
        comment="The latest version of every final bar; partitioned by day",
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "bar_revision",
        sa.Column("venue", sa.Text(), nullable=False, comment="Lower-case name of the venue"),
        sa.Column("instrument", sa.Text(), nullable=False, comment="Canonical name, BASE-QUOTE"),
        sa.Column("interval", sa.Text(), nullable=False, comment="Length of the window: 1s 5s 1m 5m 15m 1h 1d"),
        sa.Column(
            "start_ns",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Start of the window, included, in nanoseconds since 1970-01-01T00:00:00Z",
        ),
        sa.Column("day", sa.Date(), nullable=False, comment="UTC day of start_ns; the table is partitioned by it"),
        sa.Column("open", sa.Numeric(), nullable=False, comment="Price of the first trade, in quote currency"),
        sa.Column("high", sa.Numeric(), nullable=False, comment="Highest price, in quote currency"),
        sa.Column("low", sa.Numeric(), nullable=False, comment="Lowest price, in quote currency"),
        sa.Column("close", sa.Numeric(), nullable=False, comment="Price of the last trade, in quote currency"),
        sa.Column("volume", sa.Numeric(), nullable=False, comment="Sum of the sizes, in base currency"),
        sa.Column("notional", sa.Numeric(), nullable=False, comment="Sum of price times size, in quote currency"),
        sa.Column("trade_count", sa.BigInteger(), nullable=False, comment="Number of trades"),
        sa.Column(
            "missing",
            sa.BigInteger(),
            nullable=True,
            comment="Number of trades known to be missing; null where ids cannot tell",
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="final, or revised when a late trade changed it after"),
        sa.Column(
            "revision",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="0 for the first final bar, one more for each later change",
        ),
        sa.Column(
            "generation",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="How often the state was reset; the higher outranks",
        ),
        sa.Column("epoch", sa.Text(), nullable=False, comment="Identity of the log that the bar was folded from"),
        sa.Column(
            "seq",
            sa.BigInteger(),
            nullable=False,
            comment="Offset in trades of the last record that changed or finalised the bar",
        ),
        sa.Column(
            "partition", sa.BigInteger(), nullable=False, comment="Partition of trades that the bar was folded from"
        ),
        sa.Column(
            "first_offset", sa.BigInteger(), nullable=False, comment="Lowest offset in trades of the bar's trades"
        ),
        sa.Column(
            "last_offset", sa.BigInteger(), nullable=False, comment="Highest offset in trades of the bar's trades"
        ),
        sa.Column(
            "first_trade_id", sa.Text(), nullable=False, comment="The venue's id of the trade that gave the open"
        ),
        sa.Column(
            "last_trade_id", sa.Text(), nullable=False, comment="The venue's id of the trade that gave the close"
        ),
        sa.PrimaryKeyConstraint("venue", "instrument", "interval", "start_ns", "day", "revision", "generation"),
        comment="Every version of every final bar; partitioned by day",
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "dead_letter",
        sa.Column("topic", sa.Text(), nullable=False, comment="Full name of the topic, with its namespace"),
        sa.Column("partition", sa.BigInteger(), autoincrement=False, nullable=False, comment="Partition of the topic"),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False, comment="Offset in that partition"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why it is no row, in words"),
        sa.Column("key", sa.LargeBinary(), nullable=True, comment="The record's key as it came"),
        sa.Column("value", sa.LargeBinary(), nullable=True, comment="The record's value as it came"),
        sa.PrimaryKeyConstraint("topic", "partition", "offset"),
        comment="Records that could not be stored as rows",
    )
    op.create_table(
        "gap",
        sa.Column(
            "partition", sa.BigInteger(), autoincrement=False, nullable=False, comment="Partition of the topic gaps"
        ),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False, comment="Offset in that partition"),
        sa.Column("venue", sa.Text(), nullable=False, comment="Lower-case name of the venue"),
        sa.Column("instrument", sa.Text(), nullable=False, comment="Canonical name, BASE-QUOTE"),
        sa.Column(
            "first_missing_id",
            sa.BigInteger(),
            nullable=True,
            comment="First trade id of the gap; null where ids are not contiguous",
        ),
        sa.Column(
            "last_missing_id",
            sa.BigInteger(),
            nullable=True,
            comment="Last trade id of the gap; null where ids are not contiguous",
        ),
        sa.Column(
            "from_time_ns",
            sa.BigInteger(),
            nullable=False,
            comment="Event time of the last trade before the gap, in nanoseconds since 1970-01-01T00:00:00Z",
        ),
        sa.Column(
            "to_time_ns",
            sa.BigInteger(),
            nullable=False,
            comment="Event time of the first trade after the gap, in nanoseconds since 1970-01-01T00:00:00Z",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why the trades are missing, in words"),
        sa.PrimaryKeyConstraint("partition", "offset"),
        comment="Trades that a venue made and that could not be had",
    )
    op.create_table(
        "stream_offset",
        sa.Column("topic", sa.Text(), nullable=False, comment="Full name of the topic, with its namespace"),
        sa.Column("partition", sa.BigInteger(), autoincrement=False, nullable=False, comment="Partition of the topic"),
        sa.Column("epoch", sa.Text(), nullable=False, comment="Kafka's id of the topic: made anew, it has another"),
        sa.Column(
            "next_offset",
            sa.BigInteger(),
            nullable=False,
            comment="Offset from which the sink goes on; all before it is stored",
        ),
        sa.PrimaryKeyConstraint("topic", "partition"),
        comment="How far each topic is stored; advanced in the transaction that stores its rows",
    )
    op.create_table(
        "trade",
        sa.Column("venue", sa.Text(), nullable=False, comment="Lower-case name of the venue"),
        sa.Column("instrument", sa.Text(), nullable=False, comment="Canonical name, BASE-QUOTE"),
        sa.Column(
            "trade_id",
            sa.Text(),
            nullable=False,
            comment="The venue's own id of the trade, unique within the instrument",
        ),
        sa.Column("day", sa.Date(), nullable=False, comment="UTC day of event_time_ns; the table is partitioned by it"),
        sa.Column(
            "trade_seq",
            sa.BigInteger(),
            nullable=True,
            comment="The venue's own order number within the instrument; null where it has none",
        ),
        sa.Column(
            "price", sa.Numeric(), nullable=False, comment="Price of one unit of base currency, in quote currency"
        ),
        sa.Column("size", sa.Numeric(), nullable=False, comment="Quantity traded, in base currency"),
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
            "action",
            sa.Text(),
            nullable=False,
            comment="trade adds a trade, correct replaces one, cancel takes one away",
        ),
        sa.Column(
            "refers_to", sa.Text(), nullable=True, comment="trade_id of the trade that a correct or cancel refers to"
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
        sa.Column("partition", sa.BigInteger(), nullable=False, comment="Partition of the topic trades"),
        sa.Column("offset", sa.BigInteger(), nullable=False, comment="Offset in that partition"),
        sa.PrimaryKeyConstraint("venue", "instrument", "trade_id", "day"),
        comment="Every trade once, as it was first seen; partitioned by day",
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index("trade_by_time", "trade", ["venue", "instrument", "event_time_ns"], unique=False)
    op.execute(BAR_VWAP)
    op.execute("COMMENT ON VIEW bar_vwap IS 'bar with vwap = notional / volume, and its start as a timestamp'")
