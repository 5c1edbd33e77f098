"""From a writer's Avro schema to the steps by which the kernel walks through a record's bytes.

A step is a tuple `(code, slot, size, symbols, children)` as `decode_plan.hpp` describes it. The plan follows Avro's
schema resolution as far as the fold needs it: wanted fields are read, all others skipped, and a wanted field that the
writer did not have must have a default that the kernel knows.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

Json: TypeAlias = Any  # an Avro schema is JSON of many shapes; each is checked where it is read


class IncompatibleSchema(Exception):
    """Records of this schema cannot be read as the trades or clocks that the fold knows."""


class Step(NamedTuple):
    """One step; `code` and `slot` are the names of `Step::Code` and `Slot` in decode_plan.hpp."""

    code: str
    slot: str = ""
    size: int = 0
    symbols: tuple[int, ...] = ()
    children: tuple["Step", ...] = ()


@dataclass(frozen=True)
class _Wanted:
    """A field the fold wants: how it is read, and whether the reader's schema has a default for it."""

    read_as: str
    has_default: bool = False


_SYMBOLS: Final = {"action": ("trade", "correct", "cancel"), "aggressor": ("unknown", "buy", "sell")}
_DEFAULT_SYMBOLS: Final = {"aggressor": "unknown"}
"""What a symbol stands for that the reader's enum does not have; an enum without such a default refuses it."""
_WANTED: Final = {
    "livetape.Trade": {
        "venue": _Wanted("text"),
        "instrument": _Wanted("text"),
        "trade_id": _Wanted("text"),
        "trade_seq": _Wanted("number", has_default=True),
        "price": _Wanted("decimal"),
        "size": _Wanted("decimal"),
        "aggressor": _Wanted("symbol", has_default=True),
        "event_time_ns": _Wanted("number"),
        "receive_time_ns": _Wanted("number"),
        "action": _Wanted("symbol", has_default=True),
        "refers_to": _Wanted("text", has_default=True),
        "conditions": _Wanted("texts", has_default=True),
    },
    "livetape.Clock": {"venue": _Wanted("text"), "time_ns": _Wanted("number")},
    "livetape.Quote": {
        "venue": _Wanted("text"),
        "instrument": _Wanted("text"),
        "quote_seq": _Wanted("number", has_default=True),
        "bid_price": _Wanted("decimal", has_default=True),
        "bid_size": _Wanted("decimal", has_default=True),
        "ask_price": _Wanted("decimal", has_default=True),
        "ask_size": _Wanted("decimal", has_default=True),
        "event_time_ns": _Wanted("number"),
        "receive_time_ns": _Wanted("number"),
    },
}
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
_TYPES_READ_AS: Final = {
    "text": {"string", "bytes"},
    "number": {"int", "long"},
    "decimal": {"bytes"},
    "symbol": {"enum"},
    "texts": {"array"},
}
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
_SCALE: Final = 18


def compile_plan(schema_json: str, records: Collection[str] = TRADES) -> tuple[str, list[Step]]:
    """The record's kind (`trade`, `quote`, `clock`) and the steps through one record of this writer's schema.

    Raises:
        IncompatibleSchema: it is none of these records, or a wanted field is missing or of another type.
    """
    try:
        return _compile(json.loads(schema_json), records)
    except json.JSONDecodeError as error:
        raise IncompatibleSchema(f"the schema is no JSON: {error}") from error
    except RecursionError as error:
        raise IncompatibleSchema("types are nested too deep") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a registry that checks nothing may send it
        raise IncompatibleSchema(f"the schema is no Avro schema: {type(error).__name__} {error}") from error


def _compile(schema: Json, records: Collection[str]) -> tuple[str, list[Step]]:
    name = _full_name(schema) if isinstance(schema, dict) and schema.get("type") == "record" else "no record"
    if name not in records:
        raise IncompatibleSchema(f"{name} is neither of {' and '.join(records)}")
    wanted = _WANTED[name]
    steps = list(_Compiler(wanted).record_fields(schema))
    missing = [
        field_name
        for field_name, how in wanted.items()
        if not how.has_default and field_name not in {part["name"] for part in schema["fields"]}
    ]
    if missing:
        raise IncompatibleSchema(f"{name} has no field {', '.join(missing)}, and no default is known for it")
    return name.removeprefix("livetape.").lower(), steps


@dataclass
class _Compiler:
    wanted: dict[str, _Wanted]
    named: dict[str, Json] = field(default_factory=dict)
    skipped: int = 0

    def record_fields(self, schema: Json) -> Iterator[Step]:
        self.named[_full_name(schema)] = schema
        for part in schema["fields"]:
            how = self.wanted.get(part["name"])
            if how is None:
                yield self.skip(part["type"])
            else:
                yield self.read(part["name"], how, part["type"])

    def read(self, name: str, how: _Wanted, schema: Json) -> Step:
        if isinstance(schema, list):
            branches = tuple(_SKIPS["null"] if part == "null" else self.read(name, how, part) for part in schema)
            if _SKIPS["null"] in branches and not how.has_default:
                raise IncompatibleSchema(f"field {name} may be null, and the fold needs it")
            return Step("union_of", children=branches)
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind not in _TYPES_READ_AS[how.read_as]:
            raise IncompatibleSchema(f"field {name} is {kind}, which cannot be read as {how.read_as}")
        if how.read_as == "decimal":
            _check_decimal(name, schema)
        if how.read_as == "texts" and schema["items"] != "string":
            raise IncompatibleSchema(f"field {name} is no array of strings")
        symbols = _symbols(name, schema) if how.read_as == "symbol" else ()
        if isinstance(schema, dict) and "name" in schema:
            self.named[_full_name(schema)] = schema
        return Step(how.read_as, slot=_SLOTS.get(name, name), symbols=symbols)

    def skip(self, schema: Json, depth: int = 0) -> Step:
        if depth > _MAX_DEPTH:
            raise IncompatibleSchema(f"types are nested deeper than {_MAX_DEPTH}, or contain themselves")
        self.skipped += 1
        if self.skipped > _MAX_STEPS:
            raise IncompatibleSchema(f"the schema has more than {_MAX_STEPS} types, those counted that are named again")
        if isinstance(schema, list):
            return Step("union_of", children=tuple(self.skip(part, depth + 1) for part in schema))
        if isinstance(schema, str):
            return _SKIPS[schema] if schema in _SKIPS else self.skip(self.definition(schema), depth + 1)
        if "name" in schema:
            self.named[_full_name(schema)] = schema
        return self.skip_complex(schema, depth + 1)

    def skip_complex(self, schema: Json, depth: int) -> Step:
        match schema["type"]:
            case "fixed":
                return Step("skip_fixed", size=_size_of(schema))
            case "array":
                return Step("blocks_of", children=(self.skip(schema["items"], depth),))
            case "map":
                return Step("blocks_of", children=(_SKIPS["string"], self.skip(schema["values"], depth)))
            case "record":
                return Step("record_of", children=tuple(self.skip(part["type"], depth) for part in schema["fields"]))
            case kind:
                return self.skip(kind, depth)

    def definition(self, name: str) -> Json:
        found = self.named.get(name) or self.named.get(f"livetape.{name}")
        if found is None:
            raise IncompatibleSchema(f"unknown type {name}")
        return found


def _full_name(schema: Json) -> str:
    name: str = schema.get("name", "")
    namespace = schema.get("namespace", "livetape")
    return name if "." in name else f"{namespace}.{name}"


def _size_of(fixed: Json) -> int:
    size: Json = fixed["size"]
    if not isinstance(size, int) or not 0 <= size < _MAX_FIXED_BYTES:
        raise IncompatibleSchema(f"a fixed type of {size} bytes")
    return size


def _check_decimal(name: str, schema: Json) -> None:
    scale = schema.get("scale", 0) if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or schema.get("logicalType") != "decimal" or scale != _SCALE:
        raise IncompatibleSchema(f"field {name} is no decimal of scale {_SCALE}")


def _symbols(name: str, schema: Json) -> tuple[int, ...]:
    known = _SYMBOLS[name]
    default = _DEFAULT_SYMBOLS.get(name)
    unknown = [symbol for symbol in schema["symbols"] if symbol not in known]
    if unknown and default is None:
        raise IncompatibleSchema(f"unknown {name}s: {', '.join(unknown)}")
    return tuple(known.index(default if default and symbol in unknown else symbol) for symbol in schema["symbols"])
