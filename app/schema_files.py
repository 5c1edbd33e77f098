"""The files of our own schemas: `*.avsc` in the folder of LIVETAPE_SCHEMAS_DIR, one a record type."""

from pathlib import Path
from typing import Final, NamedTuple

from app.schema_resolution import AvroSchema, NoAvroSchema, read_schema

RECORDS: Final = ("Bar", "Candle", "Clock", "Gap", "Joined", "Live", "Quote", "Trade")
"""All that are ours."""
_NAMES: Final = {f"{record.lower()}.avsc": f"livetape.{record}" for record in RECORDS}
_REMEDY: Final = "Mend it, or set LIVETAPE_SCHEMAS_DIR to the project's schemas"


class SchemasUnfit(Exception):
    """A folder lacks schemas of ours, or has files that are none; the message names them, and says what to do."""


class SchemaFile(NamedTuple):
    """A schema as its file has it."""

    file_name: str
    text: str
    schema: AvroSchema


def schema_files(folder: Path) -> list[SchemaFile]:
    """Every schema of a folder, in the order of the files' names.

    Raises:
        SchemasUnfit: one of ours is not there, or a file has not the record of its name. Who went on without it would
            take its records for somebody else's.
    """
    files = sorted(folder.glob("*.avsc"))
    names = {file.name for file in files}
    missing = [name for name in _NAMES if name not in names]
    if missing:
        raise SchemasUnfit(f"{folder} has no {', '.join(missing)}: set LIVETAPE_SCHEMAS_DIR to the project's schemas")
    return [_read(file) for file in files]


def _read(file: Path) -> SchemaFile:
    try:
        text = file.read_text(encoding="utf-8")
        schema = read_schema(text)
    except (OSError, UnicodeError, NoAvroSchema) as error:
        raise SchemasUnfit(f"{file}: {error}. {_REMEDY}") from error
    ours = _NAMES.get(file.name, schema.name)
    if schema.name != ours or not isinstance(schema.type, dict) or schema.type["type"] != "record":
        raise SchemasUnfit(f"{file}: no record {ours}. {_REMEDY}")
    return SchemaFile(file.name, text, schema)
