"""Records are read by their writer's schema, whatever release it was of."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import fastavro
import pytest

from app.bars import Bar
from app.records import BadRecord, RecordReader
from app.schema_files import SchemasUnfit
from app.settings import PROJECT
from tests.integration.api_kit import bar, shown

SCHEMAS = PROJECT / "schemas"
WIRE_HEADER = bytes(5)
LATER = ("buy_volume", "sell_volume", "squared_returns")
DERIVED = ("order_flow_imbalance", "realised_volatility")


@pytest.mark.parametrize("has_folder", [True, False])
def test_records_are_not_read_without_our_schemas(tmp_path: Path, *, has_folder: bool) -> None:
    folder = tmp_path / "schemas"
    missing = "bar.avsc, .*, trade.avsc"
    if has_folder:
        shutil.copytree(SCHEMAS, folder, ignore=lambda *_: ["gap.avsc", "quote.avsc"])
        missing = "gap.avsc, quote.avsc"
    with pytest.raises(SchemasUnfit, match=f"{folder} has no {missing}: set LIVETAPE_SCHEMAS_DIR to"):
        RecordReader(folder, lambda _id: "")


def test_a_bar_of_a_release_without_them_has_neither_sides_nor_returns() -> None:
    schema: dict[str, Any] = json.loads((SCHEMAS / "bar.avsc").read_text())
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in LATER]
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), bar(60, seq=7))
    reader = RecordReader(SCHEMAS, lambda _id: json.dumps(schema))
    _, fields = reader.read(WIRE_HEADER + body.getvalue())
    told = json.loads(Bar.committed(fields).text)
    expected = shown(bar(60, seq=7))
    assert told == expected | dict.fromkeys((*LATER, *DERIVED))


@pytest.mark.parametrize(
    "text",
    [
        'syntax = "proto3"; message Trade { string venue = 1; }',
        '{"type": "record", "namespace": "livetape", "name": "Trade", "fields": [{"name": "a", "type": "nothing"}]}',
        "[" * 100_000,
    ],
    ids=["Protobuf", "a type that nobody knows", "nested without end"],
)
def test_a_record_whose_schema_is_none_of_avro_is_a_bad_one(text: str) -> None:
    reader = RecordReader(SCHEMAS, lambda _id: text)
    for _ in range(2):
        with pytest.raises(BadRecord, match="schema id 0 is no Avro schema"):
            reader.read(WIRE_HEADER)


@pytest.mark.parametrize("kind", [{"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 8}, "bytes"])
def test_an_amount_of_another_scale_is_never_taken_for_one_of_ours(kind: object) -> None:
    schema: dict[str, Any] = json.loads((SCHEMAS / "trade.avsc").read_text())
    next(field for field in schema["fields"] if field["name"] == "price")["type"] = kind
    reader = RecordReader(SCHEMAS, lambda _id: json.dumps(schema))
    with pytest.raises(BadRecord, match=r"schema id 0: field price of livetape\.Trade is no decimal of scale 18"):
        reader.read(WIRE_HEADER)


def test_a_schema_that_only_has_the_name_of_ours_is_of_a_bad_record() -> None:
    schema = {"type": "enum", "namespace": "livetape", "name": "Trade", "symbols": ["A"]}
    reader = RecordReader(SCHEMAS, lambda _id: json.dumps(schema))
    with pytest.raises(BadRecord, match=r"livetape\.Trade is no record"):
        reader.read(WIRE_HEADER)
