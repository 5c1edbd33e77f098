"""What the bridge makes of ITCH 5.0 equals what a plain reader and book make of it."""

import gzip
import io
import itertools
import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import fastavro
import pytest

from app.settings import PROJECT
from replay.itch_market import ItchMarket
from tests.itch_oracle import OracleTrade, fields_of, length_of, split, trades

DECODER = PROJECT / "build" / "bridge" / "release" / "livetape-bridge-itch"
RECORDINGS = PROJECT.parent / "shared" / "recordings" / "nasdaq"
SCHEMA = fastavro.parse_schema(json.loads((PROJECT / "schemas" / "trade.avsc").read_text()))
MIDNIGHT_NS = 1_700_006_400_000_000_000
WIRE_HEADER_BYTES = 5
EMPTY_FIELDS = ("unknown_order", "no_shares", "unknown_stock", "bad_name")
"""What may be wrong with a message that has its type and its length, and zeros for the rest."""


def decoded(messages: Sequence[bytes]) -> list[OracleTrade | str]:
    """The bridge's trades and errors, in its own order."""
    data = b"".join(len(each).to_bytes(2) + each for each in messages)
    ran = subprocess.run([DECODER, str(MIDNIGHT_NS)], input=data, capture_output=True, check=True)
    return [trade_of(line.removeprefix("trade ")) if line.startswith("trade ") else line.removeprefix("error ")
            for line in ran.stdout.decode().splitlines()]  # fmt: skip


def trade_of(record: str) -> OracleTrade:
    of = fastavro.schemaless_reader(io.BytesIO(bytes.fromhex(record)[WIRE_HEADER_BYTES:]), SCHEMA, None)
    assert isinstance(of, dict)
    assert of["venue"] == "nasdaq"
    assert of["trade_seq"] is None
    assert of["refers_to"] == (of["trade_id"] if of["action"] == "cancel" else None)
    names = "instrument", "trade_id", "price", "size", "aggressor", "event_time_ns", "action"
    return OracleTrade(**{name: of[name] for name in names}, conditions=tuple(of["conditions"]))


def assert_equal(messages: Sequence[bytes]) -> list[OracleTrade]:
    expected = list(trades(messages, MIDNIGHT_NS))
    assert decoded(messages) == expected
    return [each for each in expected if isinstance(each, OracleTrade)]


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_input_that_is_cut_off_is_told(cut: int) -> None:
    end_of_hours = b"S" + bytes(10) + b"M"
    data = len(end_of_hours).to_bytes(2) + end_of_hours
    ran = subprocess.run([DECODER, str(MIDNIGHT_NS)], input=data + data[:cut], capture_output=True, check=False)
    assert ran.returncode == 1
    assert ran.stdout.decode().splitlines()[-1] == "error cut_off"


def recorded(name: str) -> bytes:
    file = RECORDINGS / name
    if not file.exists():
        pytest.skip(f"no recordings at {RECORDINGS.parent}")
    return gzip.decompress(file.read_bytes()) if name.endswith(".gz") else file.read_bytes()


def test_a_recording_of_orders_and_trades() -> None:
    messages = split(recorded("itch50-artificial.bin.gz"))
    assert len(messages) == 12_012
    made = assert_equal(messages)
    assert len(made) > 5_000
    assert {each.aggressor for each in made} == {"unknown", "buy", "sell"}


def test_the_head_of_a_real_day_ends_within_a_message() -> None:
    data = recorded("itch50-head-of-day.bin")
    messages = split(data)
    kinds = Counter(chr(each[0]) for each in messages)
    assert set(kinds) == {"S", "R", "H", "Y"}
    assert sum(len(each) + 2 for each in messages) < len(data), "the last message is cut off"
    assert assert_equal(messages) == []
    rest = data[sum(len(each) + 2 for each in messages) + 2 :]
    assert decoded([*messages, rest]) == ["truncated"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seeded_market_with_every_kind_of_trade(seed: int) -> None:
    times = itertools.count(34_200_000_000_000, 1_234)
    market = ItchMarket(("AAPL", "MSFT", "BRK.B"), seed, lambda: next(times))
    told = [*market.opening(), *itertools.islice(market.messages(), 30_000), *market.closing()]
    made = assert_equal([each.message for each in told])
    entries = [each.entry for each in told if each.entry is not None]
    assert [(str(entry.trade_id), Decimal(entry.price), entry.conditions) for entry in entries] == [
        (each.trade_id, each.price, each.conditions) for each in made
    ]
    assert {each.action for each in made} == {"trade", "cancel"}
    codes = {code for each in made for code in each.conditions}
    assert codes == {"odd-lot", "hidden", "non-printable", "closing-cross", "halt-cross", "intraday-cross"}
    assert all(each.price > 0 for each in made if each.action == "trade")
    assert {each.aggressor for each in made} == {"unknown", "buy", "sell"}


def test_a_stream_that_is_heard_from_its_middle() -> None:
    times = itertools.count(0, 1)
    market = ItchMarket(("AAPL", "MSFT"), 5, lambda: next(times))
    opening = [each.message for each in market.opening()]
    later = [each.message for each in itertools.islice(market.messages(), 10_000)][3_000:]
    assert_equal([*opening, *later])
    errors = Counter(each for each in decoded([*opening, *later]) if isinstance(each, str))
    assert errors["unknown_order"] > 10


def test_a_stream_whose_directory_was_not_heard() -> None:
    times = itertools.count(0, 1)
    market = ItchMarket(("AAPL", "MSFT"), 5, lambda: next(times))
    whole = [*market.opening(), *itertools.islice(market.messages(), 10_000)]
    heard = [each.message for each in whole if each.message[:1] != b"R"]
    made = assert_equal(heard)
    assert {each.instrument for each in made} == {"AAPL-USD", "MSFT-USD"}
    entries = [each.entry for each in whole if each.entry is not None]
    assert [(str(each.trade_id), each.conditions) for each in entries] == [
        (each.trade_id, each.conditions) for each in made
    ]


def test_the_plain_reader_knows_every_type_by_its_length() -> None:
    """The oracle's own tables, against the lengths that the specification gives."""
    lengths = {
        "S": 12, "R": 39, "H": 25, "Y": 20, "L": 26, "V": 35, "W": 12, "K": 28, "J": 35, "h": 21, "A": 36, "F": 40,
        "E": 31, "C": 36, "X": 23, "D": 19, "U": 35, "P": 44, "Q": 40, "B": 19, "I": 50, "N": 20, "O": 48,
    }  # fmt: skip
    for kind, length in lengths.items():
        assert length_of(kind) == length
        message = kind.encode() + bytes(length - 1)
        assert fields_of(message)["type"] == kind
        assert decoded([message]) in (
            [],
            ["unknown_order"],
            ["no_shares"],
            ["no_price"],
            ["unknown_stock"],
            ["bad_name"],
        )
        assert decoded([message[:-1]]) == ["truncated"]
        assert decoded([message + b"\0"]) == ["overlong"]
    for kind in set(map(chr, range(256))) - set(lengths):
        assert decoded([kind.encode("latin-1") + bytes(40)]) == ["unknown_type"]


def test_amounts_are_exact() -> None:
    opening = [each.message for each in ItchMarket(("AAPL",), 1, lambda: 0).opening()]
    most = (1 << 32) - 1
    trade = (
        b"P"
        + (1).to_bytes(2)
        + bytes(8)
        + bytes(8)
        + b"B"
        + most.to_bytes(4)
        + b"AAPL    "
        + most.to_bytes(4)
        + bytes(8)
    )
    (made,) = decoded([*opening, trade])
    assert isinstance(made, OracleTrade)
    assert (made.price, made.size) == (Decimal("429496.7295"), Decimal(most))
