"""Avro records behind the Confluent wire header, read by their writer's schema, decimals left as raw bytes.

The view decodes many bars that nobody looks at: turning each decimal into a Decimal would double the cost.
"""

import io
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from fastavro import parse_schema, schemaless_reader

from app.aggregates import Declared
from app.aggregates.schema import amount_bytes, schema_text
from app.amounts import unscaled
from app.schema_files import schema_files
from app.schema_resolution import INPUTS, NoAvroSchema, read_schema, refusal

_HEADER = struct.Struct(">bI")
_LOGICAL = {"logicalType", "precision", "scale"}
SchemaLookup = Callable[[int], str]
"""JSON text of a schema by its registry id; raises BadRecord for an id that the registry does not know."""


class BadRecord(Exception):
    """A record's value cannot be read; the message says why."""


def without_logical_types(schema: Any) -> Any:  # noqa: ANN401 - a schema is any JSON
    """The same schema with every logical type taken off, so that values come as they are on the wire."""
    if isinstance(schema, dict):
        return {name: without_logical_types(part) for name, part in schema.items() if name not in _LOGICAL}
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    return schema


class _Plan(NamedTuple):
    """How records of one writer are read: without a reader's schema where it is the writer's."""

    name: str
    writer: Any
    reader: Any
    shifts: Mapping[str, int]
    untold: Mapping[str, None]
    """Fields of a user's that the writer did not have: nobody measured them."""


class RecordReader:
    """Reads values of the record types in a folder of `.avsc` files, and of aggregates, by any compatible schema."""

    def __init__(self, schemas_dir: Path, lookup: SchemaLookup, aggregates: Iterable[Declared] = ()) -> None:
        """Read the folder.

        Raises:
            SchemasUnfit: it lacks schemas of ours, or has files that are none.
        """
        self._lookup = lookup
        files = [file.schema for file in schema_files(schemas_dir)]
        users = [read_schema(schema_text(aggregate)) for aggregate in aggregates]
        self._ours = {schema.name: schema for schema in (*files, *users)}
        schemas = {name: schema.told for name, schema in self._ours.items()}
        self._readers = {name: parse_schema(without_logical_types(schema)) for name, schema in schemas.items()}
        self._scales = {name: _decimal_scales(schema) for name, schema in schemas.items()}
        self._users = {schema.name for schema in users}
        self._writers: dict[int, _Plan] = {}

    def read(self, value: bytes | None) -> tuple[str, Mapping[str, Any]]:
        """Full record name and fields of a value.

        Raises:
            BadRecord: no value, no wire header, a schema that is unknown, none of Avro, no type of ours or one that
                cannot be read as it, or a corrupt body.
        """
        if value is None or not _has_header(value):
            raise BadRecord("no Confluent wire header")
        schema_id = _HEADER.unpack_from(value)[1]
        name, writer, reader, shifts, untold = self._writers.get(schema_id) or self._plan(schema_id)
        body = io.BytesIO(value)
        body.seek(_HEADER.size)
        try:
            fields = cast("Mapping[str, Any]", schemaless_reader(body, writer, reader))
        except Exception as error:  # fastavro raises many kinds on corrupt bytes
            raise BadRecord(f"corrupt {name}: {error or type(error).__name__}") from error
        if body.tell() != len(value):
            raise BadRecord(f"corrupt {name}: {len(value) - body.tell()} bytes after its end")
        return name, {**fields, **_moved(fields, shifts), **untold} if shifts or untold else fields

    def must_ask(self, value: bytes) -> bool:
        """Whether reading this value would ask the registry, which takes long."""
        return _has_header(value) and _HEADER.unpack_from(value)[1] not in self._writers

    def _plan(self, schema_id: int) -> _Plan:
        try:
            schema = read_schema(self._lookup(schema_id))
        except NoAvroSchema as error:  # one of Protobuf is no JSON
            raise BadRecord(f"schema id {schema_id} is {error}") from error
        name = schema.name
        if name not in self._readers:
            raise BadRecord(f"schema id {schema_id} is {name}, expected one of {', '.join(sorted(self._readers))}")
        reason = refusal(schema, self._ours[name]) if name in INPUTS else None
        if reason is not None:
            raise BadRecord(f"schema id {schema_id}: {reason}")
        writer, reader = parse_schema(without_logical_types(schema.told)), self._readers[name]
        shifts = self._shifts(schema_id, name, schema.told)
        untold = self._untold(name, schema.told)
        plan = _Plan(name, writer, None if writer == reader else _with_bytes_defaults(reader), shifts, untold)
        self._writers[schema_id] = plan
        return plan

    def _untold(self, name: str, writer: Any) -> dict[str, None]:  # noqa: ANN401 - a schema is any JSON
        if name not in self._users:
            return {}
        return dict.fromkeys(self._scales[name].keys() - {field["name"] for field in writer["fields"]})

    def _shifts(self, schema_id: int, name: str, writer: Any) -> dict[str, int]:  # noqa: ANN401 - a schema is any JSON
        """By how many decimal places a writer's amounts are to be moved: their bytes do not say how many they have.

        Only amounts of aggregates ever are, whose users may give them other places.

        Raises:
            BadRecord: a field that is a decimal of ours has another scale, or none.
        """
        written = _decimal_scales(writer)
        shifts = {}
        for field, scale in self._scales[name].items():
            theirs = written.get(field, scale)
            if scale is None or theirs == scale:
                continue
            if theirs is None or name not in self._users:
                raise BadRecord(f"schema id {schema_id}: field {field} of {name} is no decimal of scale {scale}")
            shifts[field] = scale - theirs
        return shifts


def _moved(fields: Mapping[str, Any], shifts: Mapping[str, int]) -> dict[str, bytes]:
    """Amounts at our scale.

    Raises:
        BadRecord: one has digits that ours has no place for.
    """
    moved = {}
    for name, places in shifts.items():
        if fields[name] is None:
            continue
        value, rest = divmod(unscaled(fields[name]) * 10 ** max(places, 0), 10 ** max(-places, 0))
        if rest:
            raise BadRecord(f"{name} has more decimal places than are declared by now")
        moved[name] = amount_bytes(value)
    return moved


def _decimal_scales(schema: dict[str, Any]) -> dict[str, int | None]:
    """The scale of each field that is a decimal, or one or null, by the field's name; None of every other field."""
    return {field["name"]: _decimal_scale(field["type"]) for field in schema.get("fields", ())}  # an enum has none


def _decimal_scale(kind: Any) -> int | None:  # noqa: ANN401 - a schema is any JSON
    kinds = kind if isinstance(kind, list) else [kind]
    decimals = (each for each in kinds if isinstance(each, dict) and each.get("logicalType") == "decimal")
    return next((each.get("scale", 0) for each in decimals), None)


def _with_bytes_defaults(schema: Any) -> Any:  # noqa: ANN401 - a schema is any JSON
    """A parsed record schema with bytes as defaults of bytes fields: fastavro hands out what stands there."""

    def with_default(field: dict[str, Any]) -> dict[str, Any]:
        first = field["type"][0] if isinstance(field["type"], list) else field["type"]
        is_text = first in ("bytes", {"type": "bytes"}) and isinstance(field.get("default"), str)
        return {**field, "default": field["default"].encode("latin-1")} if is_text else field

    return {**schema, "fields": [with_default(field) for field in schema["fields"]]}


def _has_header(value: bytes) -> bool:
    return len(value) >= _HEADER.size and value[0] == 0
