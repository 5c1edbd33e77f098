"""Real trades through the whole system: every bar is what the venue's own frames, or its own candles, say it is.

The expected bars are computed from the recording alone, in Decimals, and looked for wherever a user may look: in the
topics, in Postgres, by REST and on /ws.
"""

import asyncio
import gzip
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.intervals import duration_ns
from app.settings import Settings
from app.units import MILLISECOND_NS, SECOND_NS
from local import certificates
from replay.exchange import Exchange, Source
from replay.recording import FrameRecording, TradeRecording, read_kraken_trades
from replay.venues import VenueName, protocol_of
from tests.integration.api_kit import Api, eventually, serving
from tests.integration.bridge_kit import bridge_settings, bridging, server_tls, venue_of
from tests.integration.fold_kit import Avro, read_bars
from tests.integration.sql_kit import Database
from tests.parts import running
from tests.unit.agents.kernel.log_returns import sum_of_squares

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"
pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")

EXACT = Context(prec=100)
BTC = "BTC-USDT"
SNAPSHOT_BARS = 500
MINUTE_S = 60
VALUES = (
    "open", "high", "low", "close", "volume", "buy_volume", "sell_volume", "notional", "squared_returns",
    "trade_count", "first_trade_id", "last_trade_id",
)  # fmt: skip


class Told(NamedTuple):
    """A trade as the recording has it."""

    instrument: str
    trade_id: int
    price: Decimal
    size: Decimal
    time_ns: int
    aggressor: str


class Key(NamedTuple):
    """A window of an instrument."""

    instrument: str
    interval: str
    start_ns: int


Values = Mapping[str, Any]
Fields = Mapping[str, Any]
"""Of a frame."""


@dataclass(frozen=True)
class Everywhere:
    """The running system behind an exchange that plays a recording."""

    settings: Settings
    api: Api
    database: Database
    venue: str
    instruments: Sequence[str]

    def rest_bars(self, interval: str) -> list[Values]:
        """All bars of an interval by REST, forming ones too."""
        return [bar for instrument in self.instruments for bar in self._rest_bars(instrument, interval)]

    def _rest_bars(self, instrument: str, interval: str) -> list[Values]:
        query: dict[str, str | int] = {
            "venue": self.venue,
            "instrument": instrument,
            "interval": interval,
            "limit": 5_000,
        }
        answer = self.api.get("/api/v1/bars", **query)
        return list(answer.json()["bars"]) if answer.status_code == 200 else []

    async def snapshot(self, instrument: str, interval: str) -> list[Values]:
        """The snapshot of an interval on /ws."""
        of = {"venue": self.venue, "instrument": instrument, "interval": interval}
        async with self.api.ws() as client:
            await client.send({"op": "subscribe", "channel": "bars", **of})
            return list((await client.next("snapshot"))["bars"])

    def has_all(self, trades: int) -> bool:
        """Whether the bars of a day count all of the recording's trades."""
        return sum(int(bar["trade_count"]) for bar in self.rest_bars("1d")) == trades


@asynccontextmanager
async def replayed(
    settings: Settings,
    home: Path,
    certs: certificates.Certificates,
    *,
    venue: VenueName,
    instruments: Sequence[str],
    recorded: Source,
) -> AsyncIterator[Everywhere]:
    """Exchange, bridge, fold, sink and API, each as it really runs; it plays once all instruments are heard."""
    begin = asyncio.Event()
    source = when(begin, recorded)
    async with Exchange(protocol_of(venue, instruments), source, server_tls(certs)) as exchange:
        settings = bridge_settings(settings, home, **{venue: venue_of(venue, exchange, instruments, certs.ca)})
        with bridging(settings), running("worker", settings), running("sink", settings), serving(settings) as api:
            await exchange.heard(instruments)
            begin.set()
            yield Everywhere(settings, api, Database(settings), venue, instruments)


async def when(begin: asyncio.Event, source: Source) -> Source:
    """What a source has, once it is time to begin."""
    await begin.wait()
    async for item in source:
        yield item


def bars_of(trades: Iterable[Told], intervals: Sequence[str]) -> dict[Key, Values]:
    """Every bar of the trades, from the list of its trades in the venue's order; the first interval is the finest."""
    windows: defaultdict[Key, list[Told]] = defaultdict(list)
    for trade in sorted(trades):
        for interval in intervals:
            length_ns = duration_ns(interval)
            windows[Key(trade.instrument, interval, trade.time_ns // length_ns * length_ns)].append(trade)
    return {key: bar_of(window, duration_ns(intervals[0])) for key, window in windows.items()}


def bar_of(trades: list[Told], base_ns: int) -> Values:
    """The values of one bar; its returns are from close to close of the base bars, which are `base_ns` long."""
    base_closes = {trade.time_ns // base_ns: trade.price for trade in trades}
    return {
        "open": trades[0].price,
        "high": max(trade.price for trade in trades),
        "low": min(trade.price for trade in trades),
        "close": trades[-1].price,
        "volume": exact_sum(trade.size for trade in trades),
        "buy_volume": exact_sum(trade.size for trade in trades if trade.aggressor == "buy"),
        "sell_volume": exact_sum(trade.size for trade in trades if trade.aggressor == "sell"),
        "notional": exact_sum(EXACT.multiply(trade.price, trade.size) for trade in trades),
        "squared_returns": sum_of_squares(base_closes[number] for number in sorted(base_closes)),
        "trade_count": len(trades),
        "first_trade_id": str(trades[0].trade_id),
        "last_trade_id": str(trades[-1].trade_id),
    }


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def by_key(bars: Iterable[Mapping[str, Any]]) -> dict[Key, Values]:
    """The last version of each bar, by value; JSON's texts become Decimals."""
    amounts = set(VALUES[:9])
    return {
        Key(bar["instrument"], bar["interval"], int(bar["start_ns"])): {
            name: Decimal(bar[name]) if name in amounts and bar[name] is not None else bar[name] for name in VALUES
        }
        for bar in bars
    }


async def assert_equal_everywhere(system: Everywhere, trades: list[Told]) -> None:
    """In the topics and in Postgres every bar that is due, by REST and on /ws every bar, is as the trades say."""
    await asyncio.to_thread(eventually, lambda: system.has_all(len(trades)))
    expected = bars_of(trades, system.settings.intervals)
    due = due_bars(expected, trades, system.settings)
    avro = Avro(system.settings)
    await asyncio.to_thread(eventually, lambda: by_key(read_bars(system.settings, avro)).keys() >= due)
    final = by_key(await asyncio.to_thread(read_bars, system.settings, avro))
    assert final.items() <= expected.items()
    await asyncio.to_thread(eventually, lambda: by_key(system.database.bars()).items() >= final.items())
    assert by_key(system.database.bars()).items() <= expected.items()
    assert by_key(bar for interval in system.settings.intervals for bar in system.rest_bars(interval)) == expected
    for instrument in system.instruments:
        for interval in system.settings.intervals:
            here = {key: bar for key, bar in expected.items() if key[:2] == (instrument, interval)}
            newest = sorted(here)[-SNAPSHOT_BARS:]
            assert by_key(await system.snapshot(instrument, interval)) == {key: here[key] for key in newest}


def due_bars(expected: Iterable[Key], trades: Iterable[Told], settings: Settings) -> set[Key]:
    """The bars that their instrument's newest trade alone makes final, whatever clocks came after it."""
    newest_ns: defaultdict[str, int] = defaultdict(int)
    for trade in trades:
        newest_ns[trade.instrument] = max(newest_ns[trade.instrument], trade.time_ns)
    behind_ns = settings.out_of_order_ns + settings.grace_ns
    return {
        key for key in expected if key.start_ns + duration_ns(key.interval) <= newest_ns[key.instrument] - behind_ns
    }


def binance(frame: Fields) -> Iterator[Told]:
    data = frame.get("data", {})
    if data.get("e") in ("trade", "aggTrade"):
        instrument = data["s"].removesuffix("USDT") + "-USDT"
        aggressor = "sell" if data["m"] else "buy"  # m: the buyer was the maker
        number = data["t"] if data["e"] == "trade" else data["a"]
        yield Told(instrument, number, Decimal(data["p"]), Decimal(data["q"]), data["T"] * MILLISECOND_NS, aggressor)


def okx(frame: Fields) -> Iterator[Told]:
    if frame.get("arg", {}).get("channel") == "trades":
        for data in frame.get("data", ()):
            amounts = Decimal(data["px"]), Decimal(data["sz"])
            yield Told(data["instId"], int(data["tradeId"]), *amounts, int(data["ts"]) * MILLISECOND_NS, data["side"])


def coinbase(frame: Fields) -> Iterator[Told]:
    if frame["type"] == "match":  # a last_match was one before
        since = datetime.fromisoformat(frame["time"]) - datetime(1970, 1, 1, tzinfo=UTC)
        time_ns = (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1_000
        taker = {"buy": "sell", "sell": "buy"}[frame["side"]]
        amounts = Decimal(frame["price"]), Decimal(frame["size"])
        yield Told(frame["product_id"], frame["trade_id"], *amounts, time_ns, taker)


def bitstamp(frame: Fields) -> Iterator[Told]:
    if frame["event"] == "trade":
        instrument = {"live_trades_ethusd": "ETH-USD"}[frame["channel"]]
        data, side = frame["data"], ("buy", "sell")[frame["data"]["type"]]
        amounts = Decimal(data["price_str"]), Decimal(data["amount_str"])
        yield Told(instrument, data["id"], *amounts, int(data["microtimestamp"]) * 1_000, side)


@pytest.mark.parametrize(
    ("venue", "name", "read", "count"),
    [
        (VenueName.BINANCE, "binance/spot-btcusdt-20240808.frames.gz", binance, 9_757),
        (VenueName.BINANCE, "binance/spot-ethusdt-20240808.frames.gz", binance, 6_106),
        (VenueName.BINANCE_USDM, "binance/usdm-mixed-2021.session.gz", binance, 91),
        (VenueName.BITSTAMP, "bitstamp/mixed-2022.session.gz", bitstamp, 10),
        (VenueName.COINBASE, "coinbase/mixed-2021.session.gz", coinbase, 97),
        (VenueName.OKX, "okx/mixed-2022.session.gz", okx, 74),
    ],
)
async def test_every_bar_of_a_recording_is_what_its_frames_say(
    settings: Settings,
    tmp_path: Path,
    certs: certificates.Certificates,
    *,
    venue: VenueName,
    name: str,
    read: Callable[[Fields], Iterator[Told]],
    count: int,
) -> None:
    path = RECORDINGS / name
    trades = [trade for frame in received(path) for trade in read(frame)]
    assert len(trades) == count  # duplicates would be counted twice here
    instruments = sorted({trade.instrument for trade in trades})
    recorded = FrameRecording([path], None, protocol_of(venue, instruments).recorded_stream)
    async with replayed(settings, tmp_path, certs, venue=venue, instruments=instruments, recorded=recorded) as system:
        await assert_equal_everywhere(system, trades)


def received(path: Path) -> Iterator[Fields]:
    """The frames of a recording of either kind, which begin with the first brace of a line that begins with a time."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line[0].isdigit():
                yield json.loads(line[line.index("{") :])


async def test_krakens_trades_make_krakens_own_candles(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    path = RECORDINGS / "kraken" / "rest-trades-xbtusdt.json"
    recorded = read_kraken_trades(path, BTC)
    trades = [
        Told(BTC, each.trade_id, Decimal(each.price), Decimal(each.size), each.event_time_ns, each.aggressor)
        for each in recorded
    ]
    source = TradeRecording(recorded, None)
    async with replayed(
        settings, tmp_path, certs, venue=VenueName.KRAKEN, instruments=[BTC], recorded=source
    ) as system:
        await assert_equal_everywhere(system, trades)
        made = {int(bar["start_ns"]) // SECOND_NS: bar for bar in system.rest_bars("1m")}
    candles = krakens_candles(trades)
    assert len(candles) == 272
    for start_s, (open_, high, low, close, _vwap, volume, count) in candles.items():
        bar = made[start_s]
        amounts = [Decimal(bar[name]) for name in ("open", "high", "low", "close", "volume")]
        assert amounts == [Decimal(open_), Decimal(high), Decimal(low), Decimal(close), Decimal(volume)]
        assert bar["trade_count"] == count


def krakens_candles(trades: list[Told]) -> dict[int, list[Any]]:
    """Kraken's candles of the minutes in which something traded and which the recorded trades cover as a whole."""
    answer = json.loads((RECORDINGS / "kraken" / "rest-ohlc-1m-xbtusdt.json").read_text())
    first_ns, last_ns = min(trade.time_ns for trade in trades), max(trade.time_ns for trade in trades)
    return {
        start_s: values
        for start_s, *values in answer["result"]["XBTUSDT"]
        if values[-1] > 0 and start_s * SECOND_NS >= first_ns and (start_s + MINUTE_S) * SECOND_NS <= last_ns
    }
