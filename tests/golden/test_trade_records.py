"""Python writes and reads the golden records byte for byte; bridge/tests/golden_test.cpp proves the same of C++."""

import io
import json
import struct
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from app.records import RecordReader
from app.settings import PROJECT, Settings

RECORDS = json.loads((PROJECT / "tests" / "golden" / "trade_records.json").read_text())["records"]
SCHEMAS = {name: (PROJECT / "schemas" / f"{name.lower()}.avsc").read_text() for name in ("Trade", "Clock")}
AMOUNTS = ("price", "size")
Fields = dict[str, Any]


def value_of(golden: Fields) -> bytes:
    return bytes.fromhex("".join(text for _field, text in golden["bytes"]))


def exact(golden: Fields) -> Fields:
    """The golden fields with amounts as Decimals."""
    return {name: Decimal(each) if name in AMOUNTS else each for name, each in golden["fields"].items()}


@pytest.mark.parametrize("golden", RECORDS, ids=lambda golden: golden["name"])
def test_python_writes_the_golden_bytes(golden: Fields) -> None:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(SCHEMAS[golden["type"]])), exact(golden))
    assert (struct.pack(">bI", 0, golden["schema_id"]) + body.getvalue()).hex() == value_of(golden).hex()


@pytest.mark.parametrize("golden", RECORDS, ids=lambda golden: golden["name"])
def test_the_golden_bytes_read_as_the_record(golden: Fields) -> None:
    name, fields = RecordReader(Settings().schemas_dir, lambda _id: SCHEMAS[golden["type"]]).read(value_of(golden))
    assert name == f"livetape.{golden['type']}"
    for field, expected in exact(golden).items():
        value = fields[field]
        if field in AMOUNTS:
            value = Decimal((int.from_bytes(value, signed=True) < 0, digits(value), -18))
        assert value == expected, field


def digits(amount: bytes) -> tuple[int, ...]:
    """Decimal digits of a count in big-endian two's complement; Decimal's own arithmetic would round 38 of them."""
    return tuple(map(int, str(abs(int.from_bytes(amount, signed=True)))))


@pytest.mark.parametrize("golden", RECORDS, ids=lambda golden: golden["name"])
def test_the_golden_bytes_are_told_field_by_field(golden: Fields) -> None:
    schema = json.loads(SCHEMAS[golden["type"]])
    assert [field for field, _text in golden["bytes"]] == ["wire header", *(each["name"] for each in schema["fields"])]
