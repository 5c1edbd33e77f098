"""Frames of real exchanges, decoded by the bridge, against a plain json and Decimal reading of the same frames."""

import gzip
import io
import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest

from app.settings import PROJECT
from app.units import MILLISECOND_NS, MINUTE_NS, SECOND_NS
from cli.parts import BRIDGE
from replay.kraken import KrakenProtocol
from replay.recording import read_kraken_trades

RECORDINGS = PROJECT.parent / "shared" / "recordings"
DECODE = BRIDGE.with_name("livetape-bridge-decode")
TRADE = fastavro.parse_schema(json.loads((PROJECT / "schemas" / "trade.avsc").read_text()))
CANDLE = fastavro.parse_schema(json.loads((PROJECT / "schemas" / "candle.avsc").read_text()))
QUOTE = fastavro.parse_schema(json.loads((PROJECT / "schemas" / "quote.avsc").read_text()))
HEADER_BYTES = 5
BINANCE = {"btcusdt": ("BTC-USDT", 9_757), "ethusdt": ("ETH-USDT", 6_106)}
pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")
Fields = dict[str, Any]


def decoded(venue: str, names: Iterable[str], frames: Iterable[str]) -> tuple[list[Any], list[str]]:
    """The trades that the bridge reads in the frames, and its errors; `names` are INSTRUMENT=SYMBOL."""
    lines = decoded_lines(venue, names, frames)
    return records_of("trade", TRADE, lines), [text for kind, text in lines if kind == "error"]


def decoded_lines(venue: str, names: Iterable[str], frames: Iterable[str]) -> list[tuple[str, str]]:
    told = subprocess.run([DECODE, venue, *names], input="\n".join(frames), capture_output=True, text=True, check=True)
    return [(kind, text) for kind, text in map(str.split, told.stdout.splitlines())]


def records_of(kind: str, schema: Any, lines: Iterable[tuple[str, str]]) -> list[Any]:
    records = [bytes.fromhex(text)[HEADER_BYTES:] for each, text in lines if each == kind]
    return [fastavro.schemaless_reader(io.BytesIO(record), schema, None) for record in records]


def record(venue: str, instrument: str, trade_id: int, **fields: object) -> Fields:
    """A record of trade.avsc with what decoding alone does not say: no session, not received and not published."""
    times = {"publish_time_ns": None, "hardware_time_ns": None}
    unsaid = {"receive_time_ns": 0, "action": "trade", "refers_to": None, "conditions": [], "source": "live"}
    name = {"venue": venue, "instrument": instrument, "trade_id": str(trade_id), "trade_seq": trade_id}
    return {**name, **fields, **unsaid, **times, "bridge_session": "", "bridge_sequence": 0}


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
    trades, errors = decoded("binance", [f"{instrument}={symbol.upper()}"], frames)
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
            event_time_ns=int(Decimal(seconds) * SECOND_NS),
        )
        for price, size, seconds, side, _kind, _misc, trade_id in answer
    ]
    frames = map(KrakenProtocol(["BTC-USDT"]).encode, read_kraken_trades(path, "BTC-USDT"))
    trades, errors = decoded("kraken", ["BTC-USDT=BTC/USDT"], frames)
    assert trades == expected
    assert len(trades) == 1_000
    assert errors == []


def kraken_candles() -> list[Fields]:
    """Kraken's own minutes as plain decimals read them."""
    told = json.loads((RECORDINGS / "kraken" / "rest-ohlc-1m-xbtusdt.json").read_text())["result"]["XBTUSDT"]
    return [
        {
            "venue": "kraken",
            "instrument": "BTC-USDT",
            "interval": "1m",
            "start_ns": seconds * SECOND_NS,
            **dict(zip(("open", "high", "low", "close", "volume"), map(Decimal, (*prices, volume)), strict=True)),
            "trade_count": count,
            "receive_time_ns": 0,
            "bridge_session": "",
            "bridge_sequence": 0,
        }
        for seconds, *prices, _vwap, volume, count in told
    ]


def read_candles() -> list[Fields]:
    """The same as the bridge reads them."""
    answer = (RECORDINGS / "kraken" / "rest-ohlc-1m-xbtusdt.json").read_text()
    command = [str(DECODE), "--candles", "kraken", "BTC-USDT=XBTUSDT"]
    told = subprocess.run(command, input=answer, capture_output=True, text=True, check=True)
    return records_of("candle", CANDLE, [(kind, text) for kind, text in map(str.split, told.stdout.splitlines())])


def test_kraken_candles_are_read_as_plain_decimals_read_them() -> None:
    assert read_candles() == kraken_candles()
    assert len(read_candles()) == 721


def test_kraken_candles_are_the_sums_of_its_trades() -> None:
    path = RECORDINGS / "kraken" / "rest-trades-xbtusdt.json"
    within: defaultdict[int, list[Any]] = defaultdict(list)
    for trade in read_kraken_trades(path, "BTC-USDT"):
        within[trade.event_time_ns // MINUTE_NS * MINUTE_NS].append(trade)
    first_ns, last_ns = min(within), max(within)  # which the recording may have in part
    compared = 0
    for candle in read_candles():
        its = within.get(candle["start_ns"], [])
        if not first_ns < candle["start_ns"] < last_ns:
            continue
        assert candle["trade_count"] == len(its)
        if not its:
            continue
        prices = [Decimal(trade.price) for trade in its]
        told = [candle[name] for name in ("open", "high", "low", "close", "volume")]
        volume = sum(Decimal(trade.size) for trade in its)
        assert told == [prices[0], max(prices), min(prices), prices[-1], volume]
        compared += 1
    assert compared == 272


def session_frames(path: Path) -> list[str]:
    """What the exchange sent in a `*.session.gz`: not the address, and not what the client said."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [line.rstrip("\n").partition(": ")[2] for line in lines if line[0].isdigit()]


def micros(text: str) -> int:
    """A time of RFC 3339 in nanoseconds, without passing through a float."""
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1_000


def coinbase(frame: dict[str, Any]) -> list[Fields]:
    if frame["type"] != "match":
        return []
    taker = {"buy": "sell", "sell": "buy"}[frame["side"]]
    return [trade_of("coinbase", frame, "product_id", "trade_id", "price", "size", taker, micros(frame["time"]))]


def bitstamp(frame: dict[str, Any]) -> list[Fields]:
    if frame["event"] != "trade":
        return []
    data = {**frame["data"], "symbol": "ETH-USD"}
    side, time_ns = ("buy", "sell")[data["type"]], int(data["microtimestamp"]) * 1_000
    return [trade_of("bitstamp", data, "symbol", "id", "price_str", "amount_str", side, time_ns)]


def okx(frame: dict[str, Any]) -> list[Fields]:
    if frame.get("event") or frame["arg"]["channel"] != "trades":
        return []
    return [
        trade_of("okx", data, "instId", "tradeId", "px", "sz", data["side"], int(data["ts"]) * MILLISECOND_NS)
        for data in frame["data"]
    ]


def binance_usdm(frame: dict[str, Any]) -> list[Fields]:
    data = frame["data"]
    if data["e"] != "aggTrade":
        return []
    data["symbol"] = data["s"].removesuffix("USDT") + "-USDT"
    side = "sell" if data["m"] else "buy"
    return [trade_of("binance-usdm", data, "symbol", "a", "p", "q", side, data["T"] * MILLISECOND_NS)]


def trade_of(  # noqa: PLR0917 - the names that a venue has for the same things
    venue: str, data: dict[str, Any], symbol: str, number: str, price: str, size: str, side: str, time_ns: int
) -> Fields:
    return record(
        venue,
        data[symbol],
        int(data[number]),
        price=Decimal(data[price]),
        size=Decimal(data[size]),
        aggressor=side,
        event_time_ns=time_ns,
    )


def symbol_of(venue: str, instrument: str) -> str:
    match venue:
        case "bitstamp":
            return instrument.replace("-", "").lower()
        case "binance_usdm":
            return instrument.replace("-", "")
        case _:
            return instrument


@pytest.mark.parametrize(
    ("venue", "name", "count"),
    [(coinbase, "coinbase/mixed-2021", 97), (bitstamp, "bitstamp/mixed-2022", 10), (okx, "okx/mixed-2022", 74),
     (binance_usdm, "binance/usdm-mixed-2021", 91)],
)  # fmt: skip
def test_sessions_of_other_venues_are_read_as_plain_decimals_read_them(
    venue: Callable[[dict[str, Any]], list[Fields]], name: str, count: int
) -> None:
    frames = session_frames(RECORDINGS / f"{name}.session.gz")
    expected = [trade for frame in frames for trade in venue(json.loads(frame))]
    instruments = sorted({trade["instrument"] for trade in expected})
    pairs = [f"{instrument}={symbol_of(venue.__name__, instrument)}" for instrument in instruments]
    trades, errors = decoded(venue.__name__.replace("_", "-"), pairs, frames)
    assert len(expected) == count
    assert trades == expected
    # Tickers of 2021 told no sizes, and those of products without a trade are not asked for here.
    assert set(errors) <= {"missing_field", "unknown_instrument"}
    assert len(errors) == sum('"type":"ticker"' in frame for frame in frames)


def quote_of(venue: str, instrument: str, data: dict[str, Any]) -> Fields:
    sides = {"bid_price": "b", "bid_size": "B", "ask_price": "a", "ask_size": "A"}
    amounts = {name: Decimal(data[key]) for name, key in sides.items()}
    time_ns = data["T"] * MILLISECOND_NS + 1 if "T" in data else 0  # behind a trade of its time
    name = {"venue": venue, "instrument": instrument, "quote_seq": data["u"], **amounts, "event_time_ns": time_ns}
    return {**name, "receive_time_ns": 0, "bridge_session": "", "bridge_sequence": 0}


@pytest.mark.parametrize("venue", ["binance", "binance-usdm"])
def test_book_tickers_are_read_as_plain_decimals_read_them(venue: str) -> None:
    if venue == "binance":
        frames = list(frames_of(RECORDINGS / "binance" / "spot-ethusdt-20240808.frames.gz"))
    else:
        frames = session_frames(RECORDINGS / "binance" / "usdm-mixed-2021.session.gz")
    books = [json.loads(frame)["data"] for frame in frames if '@bookTicker"' in frame]
    names = {data["s"]: data["s"].removesuffix("USDT") + "-USDT" for data in books}
    quotes = records_of("quote", QUOTE, decoded_lines(venue, [f"{name}={key}" for key, name in names.items()], frames))
    assert quotes == [quote_of(venue, names[data["s"]], data) for data in books]
    assert len(quotes) > 600
