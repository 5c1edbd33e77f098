"""Simulated market → a venue's own frames → the bridge's decoder → the kernel's join: which quote a trade is given."""

import io
import json
import subprocess
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

import fastavro
import pytest

from app.settings import PROJECT
from cli.parts import BRIDGE
from replay.exchange import VenueProtocol
from replay.market import MarketSpec, trades
from replay.quotes import SimulatedQuote, quoted
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.unit.agents.kernel.bar_oracle import Clock
from tests.unit.agents.kernel.join_kit import JoinedPartition
from tests.unit.agents.kernel.join_oracle import JoinRules, Quote, Tick

SECOND_NS: Final = 10**9
START_NS: Final = 1_700_049_600 * SECOND_NS
BTC: Final = "BTC-USDT"
HEADER_BYTES: Final = 5
SYMBOLS: Final = {
    VenueName.BINANCE_USDM: "BTCUSDT",
    VenueName.BITSTAMP: "btcusdt",
    VenueName.BYBIT: "BTCUSDT",
    VenueName.COINBASE: "BTC-USDT",
    VenueName.KRAKEN: "BTC/USDT",
    VenueName.OKX: "BTC-USDT",
}
"""Of the venues that tell a time with their quotes."""


def decoded(venue: VenueName, frames: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    """What the bridge makes of the frames, in order: `trade` or `quote`, and the record's fields."""
    command = [str(BRIDGE.with_name("livetape-bridge-decode")), venue, f"{BTC}={SYMBOLS[venue]}"]
    told = subprocess.run(command, input="\n".join(frames), capture_output=True, text=True, check=True)
    kinds = {kind: fastavro.parse_schema(json.loads((PROJECT / "schemas" / f"{kind}.avsc").read_text()))
             for kind in ("trade", "quote")}  # fmt: skip
    records: list[tuple[str, dict[str, Any]]] = []
    for kind, text in map(str.split, told.stdout.splitlines()):
        body = io.BytesIO(bytes.fromhex(text)[HEADER_BYTES:])
        fields: Any = fastavro.schemaless_reader(body, kinds[kind], None)
        records.append((kind, fields))
    return records


def frame_of(protocol: VenueProtocol, item: SimulatedTrade | SimulatedQuote) -> str:
    return protocol.encode_quote(item) if isinstance(item, SimulatedQuote) else protocol.encode(item)


def tick_of(offset: int, of: dict[str, Any]) -> Tick:
    names = "venue", "instrument", "trade_id", "price", "size", "aggressor", "event_time_ns"
    return Tick(offset=offset, **{name: of[name] for name in names}, receive_time_ns=of["event_time_ns"])


def quote_of(offset: int, of: dict[str, Any]) -> Quote:
    bid, ask = ((of[f"{side}_price"], of[f"{side}_size"]) for side in ("bid", "ask"))
    name = of["venue"], of["instrument"], of["quote_seq"]
    return Quote(offset, *name, bid, ask, of["event_time_ns"], receive_time_ns=of["event_time_ns"])


@pytest.mark.parametrize("venue", SYMBOLS)
def test_a_trade_is_joined_with_the_quote_that_it_met(venue: VenueName) -> None:
    """So is each one but those that share their time with another: the venue's unit does not tell these apart."""
    protocol = protocol_of(venue, [BTC])
    spec = MarketSpec((BTC,), rate=200, seed=7, resolution_ns=protocol.resolution_ns)
    market = list(islice(quoted(trades(spec, START_NS), seed=7), 4_000))
    records = decoded(venue, (frame_of(protocol, item) for item in market))
    kinds = ["quote" if isinstance(item, SimulatedQuote) else "trade" for item in market]
    assert [kind for kind, _ in records] == kinds

    ticks = [tick_of(offset, of) for offset, of in enumerate(of for kind, of in records if kind == "trade")]
    quotes = [quote_of(offset, of) for offset, of in enumerate(of for kind, of in records if kind == "quote")]
    clock = Clock(len(ticks), venue, ticks[-1].event_time_ns + SECOND_NS)
    rules = JoinRules(SECOND_NS, 900 * SECOND_NS, 60 * SECOND_NS, 60 * SECOND_NS, 60 * SECOND_NS, frozenset({venue}))
    joined = JoinedPartition(rules, [*ticks, clock], [*quotes, clock])
    joined.take_all()

    times = Counter(tick.event_time_ns for tick in ticks)
    told_apart = {tick.trade_id: tick.offset for tick in ticks if times[tick.event_time_ns] == 1}
    given = {of["trade_id"]: of["quote_offset"] for of in joined.joined if of["trade_id"] in told_apart}
    assert given == told_apart  # each trade is behind one quote of its own
    assert len(told_apart) > len(ticks) / 2
