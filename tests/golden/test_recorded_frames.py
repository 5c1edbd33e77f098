"""Frames of real exchanges, decoded by the bridge, against a plain json and Decimal reading of the same frames."""

import gzip
import io
import json
import subprocess
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest

from app.settings import PROJECT
from cli.parts import BRIDGE
from replay.kraken import KrakenProtocol
from replay.recording import read_kraken_trades

RECORDINGS = PROJECT.parent / "shared" / "recordings"
DECODE = BRIDGE.with_name("livetape-bridge-decode")
TRADE = fastavro.parse_schema(json.loads((PROJECT / "schemas" / "trade.avsc").read_text()))
HEADER_BYTES = 5
MILLISECOND_NS = 1_000_000
BINANCE = {"btcusdt": ("BTC-USDT", 9_757), "ethusdt": ("ETH-USDT", 6_106)}
pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")
Fields = dict[str, Any]


def decoded(venue: str, instrument: str, frames: Iterable[str]) -> tuple[list[Any], list[str]]:
    """The trades that the bridge reads in the frames, and its errors."""
    told = subprocess.run(
        [DECODE, venue, instrument], input="\n".join(frames), capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in told.stdout.splitlines()]
    records = [bytes.fromhex(text)[HEADER_BYTES:] for kind, text in lines if kind == "trade"]
    trades = [fastavro.schemaless_reader(io.BytesIO(record), TRADE, None) for record in records]
    return trades, [text for kind, text in lines if kind == "error"]


def record(venue: str, instrument: str, trade_id: int, **fields: object) -> Fields:
    """A record of trade.avsc with what decoding alone does not say: no session, not received."""
    unsaid = {"receive_time_ns": 0, "action": "trade", "refers_to": None, "conditions": [], "source": "live"}
    name = {"venue": venue, "instrument": instrument, "trade_id": str(trade_id), "trade_seq": trade_id}
    return {**name, **fields, **unsaid, "bridge_session": "", "bridge_sequence": 0}


def frames_of(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n").partition(" ")[2]


@pytest.mark.parametrize("symbol", BINANCE)
def test_binance_frames_are_read_as_plain_decimals_read_them(symbol: str) -> None:
    instrument, count = BINANCE[symbol]
    frames = list(frames_of(RECORDINGS / "binance" / f"spot-{symbol}-20240808.frames.gz"))
    expected = [
        record(
            "binance",
            instrument,
            data["t"],
            price=Decimal(data["p"]),
            size=Decimal(data["q"]),
            aggressor="sell" if data["m"] else "buy",
            event_time_ns=data["T"] * MILLISECOND_NS,
        )
        for data in (json.loads(frame).get("data", {}) for frame in frames)
        if data.get("e") == "trade"
    ]
    trades, errors = decoded("binance", instrument, frames)
    assert trades == expected
    assert len(trades) == count
    # Recorders keep the order book's REST snapshot among the frames; no exchange sends it on a stream.
    assert errors == ["unknown_frame"] * sum("lastUpdateId" in frame for frame in frames)


def test_kraken_trades_are_read_as_plain_decimals_read_them() -> None:
    path = RECORDINGS / "kraken" / "rest-trades-xbtusdt.json"
    answer = json.loads(path.read_text(), parse_float=Decimal)["result"]["XBTUSDT"]
    expected = [
        record(
            "kraken",
            "BTC-USDT",
            trade_id,
            price=Decimal(price),
            size=Decimal(size),
            aggressor={"b": "buy", "s": "sell"}[side],
            event_time_ns=int(Decimal(seconds) * 10**9),
        )
        for price, size, seconds, side, _kind, _misc, trade_id in answer
    ]
    frames = map(KrakenProtocol(["BTC-USDT"]).encode, read_kraken_trades(path, "BTC-USDT"))
    trades, errors = decoded("kraken", "BTC-USDT", frames)
    assert trades == expected
    assert len(trades) == 1_000
    assert errors == []
