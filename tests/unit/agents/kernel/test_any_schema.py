"""Whatever a registry answers: the kernel can read records of it, or says in words why not."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.kernel import IncompatibleSchema, WriterSchemas
from tests.unit.agents.kernel.bar_oracle import Rules
from tests.unit.agents.kernel.partition_kit import SECOND, a_trade, new_fold, schema_text, trade_value, wire
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

RULES = Rules((("1m", 60 * SECOND),), out_of_order_ns=0, grace_ns=0, horizon_ns=900 * SECOND, max_ahead_ns=SECOND)
SCHEMA_ID = 77
bounded = settings(max_examples=300)

names = st.sampled_from(["Trade", "livetape.Trade", "venue", "price", "long", "x", "", "livetape.Action", "Aggressor"])
words = names | st.sampled_from(
    ["null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "array", "map", "fixed"]
)
keys = st.sampled_from(
    ["type", "name", "namespace", "fields", "items", "values", "symbols", "size", "logicalType", "scale", "default"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)


def learnt(schema_json: str) -> bool:
    """Whether the kernel reads records of this schema; one that it took must be there for any body."""
    schemas = WriterSchemas()
    try:
        schemas.add(SCHEMA_ID, schema_json)
    except IncompatibleSchema:
        return False
    body = trade_value(a_trade(0, 1))[5:]
    records = [KafkaRecord(None, wire(SCHEMA_ID, each)) for each in (body, b"", body[:20], b"\x02" * 100)]
    outcome = new_fold(RULES, schemas).fold(record_batch(0, records), [], 0)
    assert (outcome.needs_schema, outcome.next_offset) == (None, len(records))
    return True


@given(anything)
@bounded
def test_any_json_is_refused_or_read(schema: object) -> None:
    learnt(json.dumps(schema))


@given(st.text())
@bounded
def test_any_text_is_refused_or_read(text: str) -> None:
    assert not learnt(text)


@given(st.data())
@bounded
def test_a_trade_s_schema_with_a_part_that_is_anything_else_is_refused_or_read(data: st.DataObject) -> None:
    schema = json.loads(schema_text("trade"))
    holder, place = data.draw(st.sampled_from(places(schema)))
    holder[place] = data.draw(anything)
    learnt(json.dumps(schema))


@given(st.data())
@bounded
def test_a_trade_s_schema_that_lacks_a_part_is_refused_or_read(data: st.DataObject) -> None:
    schema = json.loads(schema_text("trade"))
    holder, place = data.draw(st.sampled_from(places(schema)))
    del holder[place]
    learnt(json.dumps(schema))


def places(schema: Any) -> list[tuple[Any, Any]]:
    """Every part of a schema: what holds it, and its key or index there."""
    parts = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    return [place for key, part in parts for place in [(schema, key), *places(part)]]


@pytest.mark.parametrize("depth", [1, 15, 100, 10_000])
def test_types_nested_however_deep_are_refused_or_read(depth: int) -> None:
    schema = copy.deepcopy(json.loads(schema_text("trade")))
    nested = '{"type": "array", "items": ' * depth + '"long"' + "}" * depth
    text = json.dumps(schema)
    assert learnt(text.replace('"fields": [', f'"fields": [{{"name": "deep", "type": {nested}}}, ', 1)) == (depth < 16)


def test_a_small_schema_of_types_that_name_each_other_over_and_over_is_refused() -> None:
    schema = json.loads(schema_text("trade"))
    named: list[Any] = ["long"]
    for level in range(10):
        fields = [{"name": f"x{number}", "type": named[-1]} for number in range(10)]
        schema["fields"].append(
            {"name": f"level{level}", "type": {"type": "record", "name": f"R{level}", "fields": fields}}
        )
        named.append(f"R{level}")
    with pytest.raises(IncompatibleSchema, match="more than 10000 types"):
        WriterSchemas().add(SCHEMA_ID, json.dumps(schema))


def test_blocks_in_blocks_cost_no_more_than_their_bytes() -> None:
    """Items may be of no bytes at all: a small body must not keep the fold busy for hours."""
    schema = json.loads(schema_text("trade"))
    nulls = {"type": "array", "items": {"type": "array", "items": "null"}}
    schema["fields"].insert(0, {"name": "nulls", "type": nulls})
    schemas = WriterSchemas()
    schemas.add(SCHEMA_ID, json.dumps(schema))
    a_million = b"\x80\x80\x80\x01"
    body = a_million + (a_million + b"\0") * 100_000
    outcome = new_fold(RULES, schemas).fold(record_batch(0, [KafkaRecord(None, wire(SCHEMA_ID, body))]), [], 0)
    assert outcome.dead == 1
