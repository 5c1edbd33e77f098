"""The venues that can be simulated. A new one is a line here and a file beside this one."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from replay.binance import BinanceProtocol
from replay.binance_usdm import BinanceUsdmProtocol
from replay.bitstamp import BitstampProtocol
from replay.bybit import BybitProtocol
from replay.coinbase import CoinbaseProtocol
from replay.exchange import VenueProtocol
from replay.kraken import KrakenProtocol
from replay.okx import OkxProtocol


class VenueName(StrEnum):
    """The venues that can be simulated."""

    BINANCE = "binance"
    KRAKEN = "kraken"
    BINANCE_USDM = "binance-usdm"
    BITSTAMP = "bitstamp"
    BYBIT = "bybit"
    COINBASE = "coinbase"
    OKX = "okx"


PROTOCOLS: Final[dict[VenueName, type[VenueProtocol]]] = {
    VenueName.BINANCE: BinanceProtocol,
    VenueName.KRAKEN: KrakenProtocol,
    VenueName.BINANCE_USDM: BinanceUsdmProtocol,
    VenueName.BITSTAMP: BitstampProtocol,
    VenueName.BYBIT: BybitProtocol,
    VenueName.COINBASE: CoinbaseProtocol,
    VenueName.OKX: OkxProtocol,
}


def protocol_of(venue: VenueName, instruments: Sequence[str]) -> VenueProtocol:
    """The protocol of a venue that has these instruments."""
    return PROTOCOLS[venue](instruments)
