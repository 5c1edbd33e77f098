"""What a bridge may read: exchanges and packet feeds, and where the exchanges are."""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.setting_types import AbsolutePath, UdpAddress, named_once
from app.time_zones import check_timezone


class Writer(StrEnum):
    """The one writer that a venue's trades have in Kafka."""

    DIRECT = "direct"
    """The bridge that reads the venue."""
    RELAY = "relay"
    """`livetape relay`, from ZeroMQ: the bridge keeps what the relay has not confirmed."""


class VenueConfig(BaseModel):
    """An exchange to read."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    url: str
    """Its WebSocket address."""
    rest_url: str
    """Its REST API: the list of its instruments, trades that were missed, and its own candles."""
    instruments: Annotated[tuple[str, ...], AfterValidator(named_once)]
    """Canonical names: `BTC-USDT`."""
    ca_file: AbsolutePath | None = None
    """The authority to trust, when it is none of the system's."""
    writer: Writer = Writer.DIRECT
    """Who writes its trades to Kafka."""


class PacketFeed(BaseModel):
    """An exchange's multicast feed to read: ITCH 5.0 over MoldUDP64."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    lines: tuple[UdpAddress, ...] = Field(min_length=1)
    """Where the same packets come, IPv4 address and port each: multicast groups, or addresses of this machine, as
    `239.77.2.1:26400`."""
    interface: str | None = None
    """IPv4 address of the interface that groups are joined on; the system's choice when there is none."""
    rerequest: UdpAddress | None = None
    """IPv4 address and port of the server that has what no line brought."""
    dpdk: str | None = None
    """Arguments of DPDK's environment layer, to read by DPDK; the kernel's sockets are read when there are none. One
    feed of a bridge may have them."""
    instruments: tuple[str, ...] = ()
    """Canonical names, `AAPL-USD`; every stock of the feed when there are none."""
    currency: str = Field(default="USD", pattern=r"^[A-Z]{2,8}$")
    """What the prices are in: the end of every instrument's name."""
    timezone: Annotated[str, AfterValidator(check_timezone)] = "America/New_York"
    """Of the exchange: the feed tells times since its midnight."""
    day: date | None = None
    """The day that the feed speaks of, to read an old one; found by the clock when there is none."""
    orders: int = Field(default=2_000_000, ge=1, le=1 << 32)
    """Orders that memory is taken for at the beginning, about 32 to 64 bytes each; more make it grow."""
    writer: Writer = Writer.DIRECT
    """Who writes its trades to Kafka."""


def check_feed_names(feeds: dict[str, PacketFeed]) -> dict[str, PacketFeed]:
    """The same feeds; raise ValueError where one has a name that cannot be used."""
    for name in feeds:  # of folders and metrics, and the first part of a key
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}", name) is None:
            raise ValueError(f"{name!r} is no name of a feed: letters, digits, - and _, 48 at most, as in nasdaq")
    return feeds


EXCHANGES = {
    "binance": VenueConfig(
        url="wss://stream.binance.com:9443/stream",
        rest_url="https://api.binance.com",
        instruments=("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT"),
    ),
    "kraken": VenueConfig(
        url="wss://ws.kraken.com/v2",
        rest_url="https://api.kraken.com",
        instruments=("BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"),
    ),
    "binance-usdm": VenueConfig(
        url="wss://fstream.binance.com/market/stream",
        rest_url="https://fapi.binance.com",
        instruments=("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT"),
    ),
    "bitstamp": VenueConfig(
        url="wss://ws.bitstamp.net/",
        rest_url="https://www.bitstamp.net",
        instruments=("BTC-USD", "ETH-USD", "XRP-USD"),
    ),
    "bybit": VenueConfig(
        url="wss://stream.bybit.com/v5/public/spot",
        rest_url="https://api.bybit.com",
        instruments=("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT"),
    ),
    "coinbase": VenueConfig(
        url="wss://ws-feed.exchange.coinbase.com/",
        rest_url="https://api.exchange.coinbase.com",
        instruments=("BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"),
    ),
    "okx": VenueConfig(
        url="wss://ws.okx.com:8443/ws/v5/business",
        rest_url="https://www.okx.com",
        instruments=("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT"),
    ),
}
