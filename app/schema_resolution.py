"""Whether records of a writer's schema can be read as ours: one verdict for all who read what fold and join are fed.

The kernel walks through the bytes itself, and SQL and the API have an Avro library do so: what one of them took and the
other refused would be in the bars and not in the table, or the other way round. The verdict is Avro's schema
resolution, of the schema as a whole: each branch of a union and each symbol may come in some record. A field that may
be null where ours may not is read all the same, and a record is refused in which it is. The kernel refuses schemas as
well whose types contain themselves, are too many, too large or nested too deep.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from fastavro import parse_schema

Json: TypeAlias = Any  # an Avro schema is JSON of many shapes
INPUTS: Final = frozenset({"livetape.Trade", "livetape.Quote", "livetape.Clock"})
"""Records that the kernel reads too. All others have one reader, who goes by each record."""
_READ_AS: Final = {"long": {"int", "long"}, "string": {"string", "bytes"}}
"""Avro's promotions as far as our fields have use for them; text is no amount, which is all that we have as bytes."""
_MARKS: Final = frozenset({"__fastavro_parsed", "__named_schemas"})
_SCALE: Final = "decimal_scale"
_LOGICAL: Final = {"logicalType", "precision", _SCALE}


class NoAvroSchema(Exception):
    """A text is no Avro schema; the message says why."""


class AvroSchema(NamedTuple):
    """A schema with every name in full, its own as well as those of the types in it."""

    name: str
    told: Json
    """As it was written."""
    type: Json
    named: dict[str, Json]
    """Every type that has a name, by it."""

    def definition(self, kind: Json) -> Json:
        """What a name stands for; any other type is itself."""
        return self.named.get(kind, kind) if isinstance(kind, str) else kind


def read_schema(text: str) -> AvroSchema:
    """A schema by its JSON text.

    Raises:
        NoAvroSchema: it is none.
    """
    named: dict[str, Json] = {}
    try:
        told = json.loads(text)
        if isinstance(told, dict):  # what has fastavro's own marks it would take for checked
            told = {name: part for name, part in told.items() if name not in _MARKS}
        parsed = parse_schema(_with_scales(told), named)
    except Exception as error:  # fastavro raises many kinds on what is no schema
        raise NoAvroSchema(f"no Avro schema: {type(error).__name__} {error}") from error
    name = parsed.get("name") if isinstance(parsed, dict) else None
    return AvroSchema(name or str(parsed), told, parsed, named)


def kind_of(schema: Json) -> str:
    """A type's kind, such as `string`, whatever else is said of it."""
    kind: str = schema["type"] if isinstance(schema, dict) else schema
    return kind


def refusal(writer: AvroSchema, ours: AvroSchema) -> str | None:
    """Why records of a writer cannot be read as one of the inputs, or None."""
    return next(_refusals(writer, ours), None)


def _refusals(writer: AvroSchema, ours: AvroSchema) -> Iterator[str]:
    if kind_of(writer.type) != "record":
        yield f"{ours.name} is no record"
        return
    names = [field["name"] for field in writer.type["fields"]]
    if not all(isinstance(name, str) for name in names):
        yield f"{ours.name} has a field whose name is no text"
        return
    written = {field["name"]: field["type"] for field in writer.type["fields"]}
    if len(written) != len(names):
        yield f"{ours.name} has two fields of the same name"
    for field in ours.type["fields"]:
        name = field["name"]
        if name in written:
            flaw = _flaw(writer, written[name], field["type"])
            if flaw is not None:
                yield f"field {name} of {ours.name} {flaw}"
        elif "default" not in field:
            yield f"{ours.name} has no field {name}, and no default is known for it"


def _flaw(writer: AvroSchema, written: Json, wanted: Json) -> str | None:
    """Why a type cannot be read as the one that is wanted."""
    written = writer.definition(written)
    if isinstance(written, list):
        if any(isinstance(branch, list) for branch in written):
            return "is a union in a union"
        values = [branch for branch in written if kind_of(writer.definition(branch)) != "null"]
        return _first(_flaw(writer, branch, wanted) for branch in values or written)
    if isinstance(wanted, list):
        flaws = [_flaw(writer, written, branch) for branch in wanted]
        return None if None in flaws else flaws[-1]
    kind, wanted_kind = kind_of(written), kind_of(wanted)
    if kind not in _READ_AS.get(wanted_kind, {wanted_kind}):
        return "may be null" if kind == "null" else f"is {kind}, which cannot be read as {wanted_kind}"
    if kind == "array":
        is_union = isinstance(written["items"], list)
        return "is an array of a union" if is_union else _flaw(writer, written["items"], wanted["items"])
    return _enum_flaw(written, wanted) if kind == "enum" else _scale_flaw(written, wanted)


def _enum_flaw(written: Json, wanted: Json) -> str | None:
    name, wanted_name = (each["name"].rpartition(".")[2] for each in (written, wanted))
    if name != wanted_name:
        return f"is enum {name}, which cannot be read as enum {wanted_name}"
    unknown = [symbol for symbol in written["symbols"] if symbol not in wanted["symbols"]]
    return f"has unknown symbols: {', '.join(unknown)}" if unknown and "default" not in wanted else None


def _scale_flaw(written: Json, wanted: Json) -> str | None:
    scale, wanted_scale = (each.get(_SCALE) if isinstance(each, dict) else None for each in (written, wanted))
    return None if wanted_scale is None or wanted_scale == scale else f"is no decimal of scale {wanted_scale}"


def _first(flaws: Iterable[str | None]) -> str | None:
    return next((flaw for flaw in flaws if flaw is not None), None)


def _with_scales(schema: Json) -> Json:
    """The schema without logical types, which nobody but us need know, and with the scale of what was a decimal."""
    if isinstance(schema, list):
        return [_with_scales(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _with_scales(part) for name, part in schema.items() if name not in _LOGICAL}
    is_decimal = schema.get("logicalType") == "decimal"
    return {**plain, _SCALE: schema.get("scale", 0)} if is_decimal else plain
