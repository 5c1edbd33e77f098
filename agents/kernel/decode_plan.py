"""From a writer's Avro schema to the steps by which the kernel walks through a record's bytes.

A step is a tuple `(code, slot, size, symbols, children)` as `decode_plan.hpp` describes it. Whether the schema can be
read at all is Avro's schema resolution (app/schema_resolution.py); then wanted fields are read and all others skipped.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from app.schema_resolution import AvroSchema, Json, NoAvroSchema, kind_of, read_schema, refusal
from app.settings import PROJECT


class IncompatibleSchema(Exception):
    """Records of this schema cannot be read as the trades or clocks that the fold knows."""


class Step(NamedTuple):
    """One step; `code` and `slot` are the names of `Step::Code` and `Slot` in decode_plan.hpp."""

    code: str
    slot: str = ""
    size: int = 0
    symbols: tuple[int, ...] = ()
    children: tuple["Step", ...] = ()


_WANTED: Final = {
    "livetape.Trade": {
        "venue": "text",
        "instrument": "text",
        "trade_id": "text",
        "trade_seq": "number",
        "price": "decimal",
        "size": "decimal",
        "aggressor": "symbol",
        "event_time_ns": "number",
        "receive_time_ns": "number",
        "action": "symbol",
        "refers_to": "text",
        "conditions": "texts",
    },
    "livetape.Clock": {"venue": "text", "time_ns": "number"},
    "livetape.Quote": {
        "venue": "text",
        "instrument": "text",
        "quote_seq": "number",
        "bid_price": "decimal",
        "bid_size": "decimal",
        "ask_price": "decimal",
        "ask_size": "decimal",
        "event_time_ns": "number",
        "receive_time_ns": "number",
    },
}
"""The fields that the kernel wants, and the code of the step that reads each."""
_SLOTS: Final = {
    "time_ns": "event_time_ns",
    "quote_seq": "trade_seq",
    "bid_price": "price",
    "bid_size": "size",
}
TRADES: Final = ("livetape.Trade", "livetape.Clock")
"""What the topic `trades` has."""
QUOTES: Final = ("livetape.Quote", "livetape.Clock")
"""What the topic `quotes` has."""
SCHEMAS: Final = PROJECT / "schemas"
_SKIPS: Final = {
    "null": Step("skip_fixed", size=0),
    "boolean": Step("skip_fixed", size=1),
    "int": Step("skip_varint"),
    "long": Step("skip_varint"),
    "float": Step("skip_fixed", size=4),
    "double": Step("skip_fixed", size=8),
    "bytes": Step("skip_bytes"),
    "string": Step("skip_bytes"),
    "enum": Step("skip_varint"),
}
_MAX_DEPTH: Final = 16
_MAX_STEPS: Final = 10_000
"""Types that name each other can make a plan of any size out of a small schema."""
_MAX_FIXED_BYTES: Final = 2**31


def compile_plan(
    schema_json: str, records: Collection[str] = TRADES, schemas_dir: Path = SCHEMAS
) -> tuple[str, list[Step]]:
    """The record's kind (`trade`, `quote`, `clock`) and the steps through one record of this writer's schema.

    Raises:
        IncompatibleSchema: it is none of these records, or cannot be read as the one that `schemas_dir` has.
    """
    try:
        writer = read_schema(schema_json)
    except NoAvroSchema as error:  # a registry that checks nothing may send it
        raise IncompatibleSchema(f"the schema is {error}") from error
    if writer.name not in records:
        raise IncompatibleSchema(f"{writer.name} is neither of {' and '.join(records)}")
    kind = writer.name.removeprefix("livetape.").lower()
    ours = read_schema((schemas_dir / f"{kind}.avsc").read_text())
    reason = refusal(writer, ours)
    if reason is not None:
        raise IncompatibleSchema(reason)
    return kind, list(_Compiler(writer, ours).steps())


@dataclass
class _Compiler:
    """Of a schema that can be read as ours."""

    writer: AvroSchema
    ours: AvroSchema
    skipped: int = 0

    def steps(self) -> Iterator[Step]:
        wanted = _WANTED[self.ours.name]
        ours = {field["name"]: field["type"] for field in self.ours.type["fields"]}
        for field in self.writer.type["fields"]:
            name = field["name"]
            if name in wanted:
                step = Step(wanted[name], slot=_SLOTS.get(name, name))
                yield self.read(step, field["type"], ours[name])
            else:
                yield self.skip_as(field["type"], ours.get(name))

    def read(self, step: Step, written: Json, ours: Json) -> Step:
        written = self.writer.definition(written)
        if isinstance(written, list):
            return Step("union_of", children=tuple(self.read(step, branch, ours) for branch in written))
        match kind_of(written):
            case "null":
                return _null(ours)
            case "enum":
                return step._replace(symbols=_symbols(written["symbols"], ours))
            case _:
                return step

    def skip_as(self, written: Json, ours: Json | None) -> Step:
        """Skip a field that ours has as well, but for a null that it cannot have, or any that ours has not."""
        written = self.writer.definition(written)
        if ours is None or not isinstance(written, list):
            return self.skip(written)
        branches = (_null(ours) if kind_of(branch) == "null" else self.skip(branch, 1) for branch in written)
        return Step("union_of", children=tuple(branches))

    def skip(self, written: Json, depth: int = 0) -> Step:
        if depth > _MAX_DEPTH:
            raise IncompatibleSchema(f"types are nested deeper than {_MAX_DEPTH}, or contain themselves")
        self.skipped += 1
        if self.skipped > _MAX_STEPS:
            raise IncompatibleSchema(f"the schema has more than {_MAX_STEPS} types, those counted that are named again")
        schema = self.writer.definition(written)
        if isinstance(schema, list):
            return Step("union_of", children=tuple(self.skip(part, depth + 1) for part in schema))
        match kind_of(schema):
            case "fixed":
                return Step("skip_fixed", size=_size_of(schema))
            case "array":
                return Step("blocks_of", children=(self.skip(schema["items"], depth + 1),))
            case "map":
                return Step("blocks_of", children=(_SKIPS["string"], self.skip(schema["values"], depth + 1)))
            case "record" | "error":
                children = (self.skip(field["type"], depth + 1) for field in schema["fields"])
                return Step("record_of", children=tuple(children))
            case kind:
                return _SKIPS[kind]


def _null(ours: Json) -> Step:
    """A null, where ours may be one or not."""
    return _SKIPS["null"] if isinstance(ours, list) else Step("no_null")


def _size_of(fixed: Json) -> int:
    size: Json = fixed["size"]
    if not isinstance(size, int) or not 0 <= size < _MAX_FIXED_BYTES:
        raise IncompatibleSchema(f"a fixed type of {size} bytes")
    return size


def _symbols(written: list[str], ours: Json) -> tuple[int, ...]:
    """The number of each symbol among ours; one that ours does not have stands for its default."""
    known: list[str] = ours["symbols"]
    return tuple(known.index(symbol if symbol in known else ours["default"]) for symbol in written)
