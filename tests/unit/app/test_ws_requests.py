"""What /ws understands, and how it refuses the rest."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue import Code
from app.websocket.requests import Channel, MessageRefused, Op, Request, parse

SUBSCRIBE = {"op": "subscribe", "channel": "bars", "venue": "binance", "instrument": "BTC-USDT", "interval": "1m"}


def test_a_subscription_is_read() -> None:
    expected = Request(Op.SUBSCRIBE, "a", Channel.BARS, "binance", "BTC-USDT", "1m")
    assert parse(json.dumps({**SUBSCRIBE, "id": "a"})) == expected


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        (None, Code.BAD_MESSAGE, "binary"),
        ("", Code.BAD_MESSAGE, "not JSON"),
        ("{", Code.BAD_MESSAGE, "not JSON"),
        ("[]", Code.BAD_MESSAGE, "JSON object"),
        ("[" * 16_000, Code.BAD_MESSAGE, "not JSON"),
        ('"' + "x" * 20_000 + '"', Code.BAD_MESSAGE, "at most"),
        ("{}", Code.BAD_MESSAGE, "`op` is missing"),
        ('{"op":1}', Code.BAD_MESSAGE, "`op` must be text"),
        ('{"op":"dance"}', Code.UNKNOWN_OP, "subscribe, unsubscribe, list, ping"),
        ('{"op":"subscribe"}', Code.BAD_MESSAGE, "`channel` is missing"),
        ('{"op":"subscribe","channel":"news"}', Code.UNKNOWN_CHANNEL, "bars, trades, movers"),
        ('{"op":"subscribe","channel":"movers","venue":"binance"}', Code.BAD_MESSAGE, "`interval` is missing"),
        (json.dumps(SUBSCRIBE | {"from": {"seq": 7}}), Code.BAD_MESSAGE, "`from` is not known"),
        ('{"op":"subscribe","channel":"movers","intreval":"1h"}', Code.BAD_MESSAGE, "`intreval` is not known"),
        ('{"op":"list","all":true}', Code.BAD_MESSAGE, "`all` is not known; the names are op, id, channel, venue"),
        ('{"op":"subscribe","channel":"bars"}', Code.BAD_MESSAGE, "`venue` is missing"),
        (json.dumps(SUBSCRIBE | {"interval": ""}), Code.BAD_MESSAGE, "`interval` must be text"),
        ('{"op":"ping","id":[]}', Code.BAD_MESSAGE, "`id`"),
        ('{"op":"ping","id":true}', Code.BAD_MESSAGE, "`id`"),
        (r'{"op":"ping","id":"\ud800"}', Code.BAD_MESSAGE, "half of a character"),
    ],
)
def test_what_is_not_understood_is_refused_with_a_code_and_a_reason(text: str | None, code: Code, reason: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        parse(text)
    assert refused.value.code is code
    assert reason in refused.value.reason


def test_a_refusal_carries_the_id_of_its_request() -> None:
    with pytest.raises(MessageRefused) as refused:
        parse('{"op":"dance","id":7}')
    assert refused.value.id == 7


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    with pytest.raises(MessageRefused):
        parse(text)
