"""An aggregate's final and revised windows as records of its topic."""

import io
import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from fastavro import parse_schema, schemaless_writer

from app.aggregates import ENVELOPE, Amount, Declared
from app.aggregates.schema import amount_bytes, avro_schema
from app.records import without_logical_types

_HEADER: Final = struct.Struct(">bI")


class Published(NamedTuple):
    """A bar that the kernel publishes, as `Flush.published` has it; the aggregates' windows are published with it."""

    venue: str
    instrument: str
    level: int
    start_ns: int
    revision: int
    seq: int
    trade_count: int
    first_offset: int


class Origin(NamedTuple):
    """Where the fold runs."""

    epoch: str
    generation: int
    partition: int


class RecordWriter:
    """Writes one aggregate's records; `schema_id` is the registry's."""

    def __init__(self, declared: Declared, schema_id: int, origin: Origin) -> None:
        self._head = _HEADER.pack(0, schema_id)
        self._schema = parse_schema(without_logical_types(avro_schema(declared)))
        self._names = [field.name for field in declared.fields]
        self._amounts = [field.name for field in declared.fields if isinstance(field.kind, Amount)]
        self._origin = origin._asdict()

    def record(self, bar: Published, interval: str, values: Sequence[Any]) -> tuple[bytes, bytes]:
        """Key and value of a window's record."""
        fields: dict[str, Any] = dict(zip(self._names, values, strict=True))
        for name in self._amounts:
            fields[name] = None if fields[name] is None else amount_bytes(fields[name])
        fields |= {name: value for name, value in bar._asdict().items() if name in ENVELOPE}
        fields |= {"interval": interval, "state": "revised" if bar.revision else "final"}
        body = io.BytesIO()
        body.write(self._head)
        schemaless_writer(body, self._schema, fields | self._origin)
        return f"{bar.venue}:{bar.instrument}:{interval}:{bar.start_ns}".encode(), body.getvalue()
