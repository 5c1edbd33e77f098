"""Tables of users' aggregates: made, and given new columns, when the sink starts; no migration knows them."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Date, Double, MetaData, Numeric, Table, Text, inspect, text
from sqlalchemy.schema import SetColumnComment
from sqlalchemy.types import TypeEngine

from app import aggregates
from app.aggregates import AggregatesUnfit, Declared, Field, Kind
from app.database.tables import SCALE


@cache
def aggregate_table(declared: Declared) -> Table:
    """The table of an aggregate: a row a window, partitioned by day as `bar` is."""
    return Table(
        declared.table,
        MetaData(),
        _text("venue", "Lower-case name of the venue", key=True),
        _text("instrument", "Canonical name, BASE-QUOTE", key=True),
        _text("interval", "Length of the window", key=True),
        _integer("start_ns", "Start of the window, in nanoseconds since 1970-01-01T00:00:00Z", key=True),
        Column("day", Date, primary_key=True, comment="UTC day of start_ns; the table is partitioned by it"),
        *map(_column, declared.fields),
        _integer("trade_count", "Number of trades"),
        _text("state", "final, or revised when a late trade changed it after"),
        _integer("revision", "0 for the first final one, one more for each later change"),
        _integer("generation", "How often the state was reset; the higher outranks"),
        _text("epoch", "Identity of the log that it was folded from"),
        _integer("seq", "Offset in trades of the last record that changed or finalised it"),
        _integer("partition", "Partition of trades that it was folded from"),
        comment=f"{declared.doc} The latest version of every final window; partitioned by day".strip(),
        postgresql_partition_by="RANGE (day)",
    )


def make_tables(connection: Connection, declared: Sequence[Declared]) -> None:
    """Make the tables that are not there, and add the columns of new fields; what is there stays, null where it may be.

    Raises:
        AggregatesUnfit: a column is there with another type.
    """
    for each in declared:
        table = aggregate_table(each)
        table.create(connection, checkfirst=True)
        _fit(connection, table)


def _fit(connection: Connection, table: Table) -> None:
    dialect = connection.dialect
    quote = dialect.identifier_preparer.quote
    columns = inspect(connection).get_columns(table.name)
    present = {str(column["name"]): column["type"].compile(dialect) for column in columns}
    never_null = {str(column["name"]) for column in columns if not column["nullable"]}
    for column in table.columns:
        wanted = column.type.compile(dialect)
        if column.name not in present:
            connection.execute(text(f"ALTER TABLE {quote(table.name)} ADD COLUMN {quote(column.name)} {wanted}"))
            connection.execute(SetColumnComment(column))
        elif present[column.name] != wanted:
            raise AggregatesUnfit(
                f"table {table.name}: column {column.name} is {present[column.name]}, and the aggregate's field is "
                f"{wanted}: give the field another name, or drop the table"
            )
    for name in never_null - {column.name for column in table.columns if not column.nullable}:
        connection.execute(text(f"ALTER TABLE {quote(table.name)} ALTER COLUMN {quote(name)} DROP NOT NULL"))


def _text(name: str, comment: str, *, key: bool = False) -> Column[Any]:
    return Column(name, Text, primary_key=key, nullable=False, comment=comment)


def _integer(name: str, comment: str, *, key: bool = False) -> Column[Any]:
    return Column(name, BigInteger, primary_key=key, nullable=False, autoincrement=False, comment=comment)


def _column(field: Field) -> Column[Any]:
    info = {SCALE: field.kind.scale} if isinstance(field.kind, aggregates.Amount) else {}
    # Null as well where a window was published before the field was declared.
    return Column(field.name, _type(field.kind), nullable=True, comment=field.kind.doc, info=info)


def _type(kind: Kind) -> TypeEngine[Any]:
    match kind:
        case aggregates.Integer():
            return BigInteger()
        case aggregates.Amount():
            return Numeric()
        case aggregates.Text():
            return Text()
        case aggregates.Float():
            return Double()
