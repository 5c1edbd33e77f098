"""The files of our own schemas: `*.avsc` in the folder of LIVETAPE_SCHEMAS_DIR, one a record type."""

from pathlib import Path
from typing import Final

RECORDS: Final = ("Bar", "Candle", "Clock", "Gap", "Joined", "Live", "Quote", "Trade")
"""All that are ours."""


class SchemasMissing(Exception):
    """A folder lacks schemas of ours; the message names folder and files, and says what to do."""


def schema_files(folder: Path) -> list[Path]:
    """Every schema of a folder, in the order of their names.

    Raises:
        SchemasMissing: one of ours is not there. Who went on without it would take its records for somebody else's.
    """
    files = sorted(folder.glob("*.avsc"))
    names = {file.name for file in files}
    missing = [name for name in map(_file_name, RECORDS) if name not in names]
    if missing:
        raise SchemasMissing(f"{folder} has no {', '.join(missing)}: set LIVETAPE_SCHEMAS_DIR to the project's schemas")
    return files


def _file_name(record: str) -> str:
    return f"{record.lower()}.avsc"
