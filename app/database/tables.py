"""The tables of a namespace's database, as SQLAlchemy definitions; the migrations make them.

Amounts are exact `numeric`, never floats. Times are integer nanoseconds since 1970-01-01T00:00:00Z. `trade`, `bar` and
`bar_revision` are partitioned by the UTC day of `event_time_ns` and `start_ns`; `app.database.partitions` makes a day's
partitions when its first row comes. Nothing is deleted yet: a day is dropped with `DROP TABLE bar_20260131`.
"""

from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Column, Date, Index, LargeBinary, MetaData, Numeric, Table, Text

from app.amounts import NOTIONAL_SCALE, PRICE_SCALE, RETURNS_SCALE

SCALE: Final = "scale"
"""Under this name a column's `info` has the decimal places of the Avro decimal that it comes from."""

PUBLISHED: Final = (
    "When the bridge handed it on, in nanoseconds since 1970-01-01T00:00:00Z; null where it did not say so"
)
REACHED_THE_CARD: Final = (
    "When it reached the network card by the card's own clock, in nanoseconds; null where none told"
)

metadata = MetaData()


def _text(name: str, comment: str, *, key: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(name, Text, primary_key=key, nullable=nullable, comment=comment)


def _integer(name: str, comment: str, *, key: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(
        name, BigInteger, primary_key=key, nullable=nullable, autoincrement=False if key else "auto", comment=comment
    )


def _amount(name: str, comment: str, scale: int = PRICE_SCALE, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Numeric, nullable=nullable, comment=comment, info={SCALE: scale})


def _day(of: str) -> Column[Any]:
    return Column("day", Date, primary_key=True, comment=f"UTC day of {of}; the table is partitioned by it")


def _series() -> list[Column[Any]]:
    return [
        _text("venue", "Lower-case name of the venue", key=True),
        _text("instrument", "Canonical name, BASE-QUOTE", key=True),
    ]


def _epoch() -> Column[Any]:
    """In a key beside an offset: a topic that was made anew has the same offsets again."""
    comment = "Kafka's id of the topic: made anew, it has another; empty in rows that are older than this column"
    return _text("epoch", comment, key=True)


def _circumstances() -> list[Column[Any]]:
    """Of a trade, and of what corrects or cancels one."""
    return [
        _text("aggressor", "Side of the order that took liquidity: buy, sell or unknown"),
        _integer("event_time_ns", "When it happened by the venue's clock, in nanoseconds since 1970-01-01T00:00:00Z"),
        _integer("receive_time_ns", "When the bridge read it, in nanoseconds since 1970-01-01T00:00:00Z"),
        Column(
            "conditions", ARRAY(Text), nullable=False, comment="The venue's own trade condition codes, in its order"
        ),
        _text("source", "live from the stream, backfill from the venue's history, replay of a recording"),
        _integer("publish_time_ns", PUBLISHED, nullable=True),
        _integer("hardware_time_ns", REACHED_THE_CARD, nullable=True),
    ]


def _bar_columns(*, all_versions: bool) -> list[Column[Any]]:
    return [
        *_series(),
        _text("interval", "Length of the window: 1s 5s 1m 5m 15m 1h 1d", key=True),
        _integer("start_ns", "Start of the window, included, in nanoseconds since 1970-01-01T00:00:00Z", key=True),
        _day("start_ns"),
        _amount("open", "Price of the first trade, in quote currency; 0 where no trade counts for it"),
        _amount("high", "Highest price, in quote currency; 0 where no trade counts for it"),
        _amount("low", "Lowest price, in quote currency; 0 where no trade counts for it"),
        _amount("close", "Price of the last trade, in quote currency; 0 where no trade counts for it"),
        _amount("volume", "Sum of the sizes, in base currency"),
        _amount("notional", "Sum of price times size, in quote currency", NOTIONAL_SCALE),
        _integer("trade_count", "Number of trades"),
        _integer("missing", "Number of trades known to be missing; null where ids cannot tell", nullable=True),
        _text("state", "final, or revised when a late trade changed it after"),
        _integer("revision", "0 for the first final bar, one more for each later change", key=all_versions),
        _integer("generation", "How often the state was reset; the higher outranks", key=all_versions),
        _text("epoch", "Identity of the log that the bar was folded from"),
        _integer("seq", "Offset in trades of the last record that changed or finalised the bar"),
        _integer("partition", "Partition of trades that the bar was folded from"),
        _integer("first_offset", "Lowest offset in trades of the bar's trades"),
        _integer("last_offset", "Highest offset in trades of the bar's trades"),
        _text("first_trade_id", "The venue's id of the trade that gave the open"),
        _text("last_trade_id", "The venue's id of the trade that gave the close"),
        _amount("buy_volume", "Sum of the sizes whose aggressor bought, in base currency", nullable=True),
        _amount("sell_volume", "Sum of the sizes whose aggressor sold, in base currency", nullable=True),
        _amount(
            "squared_returns",
            "Sum of the squared log returns from close to close of base bars; null where there is none",
            RETURNS_SCALE,
            nullable=True,
        ),
    ]


trade = Table(
    "trade",
    metadata,
    *_series(),
    _text("trade_id", "The venue's own id of the trade, unique within the instrument and the day", key=True),
    _day("event_time_ns"),
    _integer("trade_seq", "The venue's own order number within the instrument; null where it has none", nullable=True),
    _amount("price", "Price of one unit of base currency, in quote currency"),
    _amount("size", "Quantity traded, in base currency"),
    *_circumstances(),
    _integer("partition", "Partition of the topic trades"),
    _integer("offset", "Offset in that partition"),
    Index("trade_by_time", "venue", "instrument", "event_time_ns"),
    comment="Every trade once, as it was first seen; partitioned by day",
    postgresql_partition_by="RANGE (day)",
)

trade_correction = Table(
    "trade_correction",
    metadata,
    _integer("partition", "Partition of the topic trades", key=True),
    _integer("offset", "Offset in that partition", key=True),
    _epoch(),
    _text("venue", "Lower-case name of the venue"),
    _text("instrument", "Canonical name, BASE-QUOTE"),
    _text("action", "correct replaces a trade, cancel takes one away"),
    _text("refers_to", "trade_id of the trade that it is about", nullable=True),
    _text("trade_id", "The venue's own id of the trade in its place, or of the message"),
    _integer("trade_seq", "The venue's own order number within the instrument; null where it has none", nullable=True),
    _amount("price", "Price of one unit of base currency, in quote currency; of a cancel, whatever the venue said"),
    _amount("size", "Quantity traded, in base currency; of a cancel, whatever the venue said"),
    *_circumstances(),
    Index("trade_correction_by_trade", "venue", "instrument", "refers_to"),
    comment="Every correction and cancellation as it came, one delivered twice too; bars have them, trade has not",
)

bar = Table(
    "bar",
    metadata,
    *_bar_columns(all_versions=False),
    comment="The latest version of every final bar; partitioned by day",
    postgresql_partition_by="RANGE (day)",
)

bar_revision = Table(
    "bar_revision",
    metadata,
    *_bar_columns(all_versions=True),
    comment="Every version of every final bar; partitioned by day",
    postgresql_partition_by="RANGE (day)",
)

gap = Table(
    "gap",
    metadata,
    _integer("partition", "Partition of the topic gaps", key=True),
    _integer("offset", "Offset in that partition", key=True),
    _epoch(),
    _text("venue", "Lower-case name of the venue"),
    _text("instrument", "Canonical name, BASE-QUOTE"),
    _integer("first_missing_id", "First trade id of the gap; null where ids are not contiguous", nullable=True),
    _integer("last_missing_id", "Last trade id of the gap; null where ids are not contiguous", nullable=True),
    _integer("from_time_ns", "Event time of the last trade before the gap, in nanoseconds since 1970-01-01T00:00:00Z"),
    _integer("to_time_ns", "Event time of the first trade after the gap, in nanoseconds since 1970-01-01T00:00:00Z"),
    _text("reason", "Why the trades are missing, in words"),
    comment="Trades that a venue made and that could not be had",
)

dead_letter = Table(
    "dead_letter",
    metadata,
    _text("topic", "Full name of the topic, with its namespace", key=True),
    _integer("partition", "Partition of the topic", key=True),
    _integer("offset", "Offset in that partition", key=True),
    _epoch(),
    _text("reason", "Why it is no row, in words"),
    Column("key", LargeBinary, comment="The record's key as it came"),
    Column("value", LargeBinary, comment="The record's value as it came"),
    comment="Records that could not be stored as rows",
)

stream_offset = Table(
    "stream_offset",
    metadata,
    _text("topic", "Full name of the topic, with its namespace", key=True),
    _integer("partition", "Partition of the topic", key=True),
    _text("epoch", "Kafka's id of the topic: made anew, it has another"),
    _integer("next_offset", "Offset from which the sink goes on; all before it is stored"),
    comment="How far each topic is stored; advanced in the transaction that stores its rows",
)

BY_DAY: Final = (trade, bar, bar_revision)
