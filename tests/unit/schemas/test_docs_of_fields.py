"""The schemas are the contract between languages: every field says what it is and in which unit."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.settings import PROJECT

UNITS = (
    "No unit.",
    "in nanoseconds since 1970-01-01T00:00:00Z",
    "in quote currency",
    "in base currency",
    "Number of trades.",
    "one of 1s 5s 1m 5m 15m 1h 1d",
    "oldest first",  # a list, whose items have units of their own
)
FILES = sorted((PROJECT / "schemas").glob("*.avsc"))


def fields_of(schema: Any) -> Iterator[tuple[str, str]]:
    """Path and doc of every field, those of nested records too; named types have a doc of their own."""
    if isinstance(schema, list):
        for branch in schema:
            yield from fields_of(branch)
        return
    if not isinstance(schema, dict):
        return
    if "name" in schema:
        yield schema["name"], f"{schema.get('doc', '')} No unit."
    for field in schema.get("fields", ()):
        yield f"{schema['name']}.{field['name']}", field.get("doc", "")
        yield from fields_of(field["type"])
    yield from fields_of(schema.get("items"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_field_has_a_doc_and_its_unit(path: Path) -> None:
    docs = dict(fields_of(json.loads(path.read_text())))
    assert len(docs) > 1
    assert [name for name, doc in docs.items() if not doc.removesuffix("No unit.").strip()] == []
    assert [name for name, doc in docs.items() if not any(unit in doc for unit in UNITS)] == []
