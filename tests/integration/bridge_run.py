"""A bridge that reads one simulated exchange, whose every trade and frame a test says."""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager

from app.settings import Settings
from app.sources import VenueConfig, Writer
from app.units import SECOND_NS
from local import certificates
from replay.exchange import Exchange, VenueProtocol
from replay.ledger import Ledger
from replay.recording import RecordedFrame
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import Bridge, Script, bridging, relaying, server_tls, venue_of

START_NS = 1_700_000_000 * SECOND_NS
BTC, ETH = "BTC-USDT", "ETH-USDT"
NOWHERE = VenueConfig(url="wss://localhost:1/stream", rest_url="https://localhost:1", instruments=(BTC,))
"""A venue that nobody serves."""


def trade(number: int, instrument: str = BTC, price: str = "100.10") -> SimulatedTrade:
    """A trade of its own second."""
    return SimulatedTrade(instrument, number, price, "0.5", "buy", START_NS + number * SECOND_NS)


class Run:
    """A bridge that reads one simulated exchange, whose script the test writes."""

    def __init__(self, venue: VenueName, bridge: Bridge, exchange: Exchange, script: Script | None = None) -> None:
        self.bridge = bridge
        self.exchange = exchange
        self._venue = venue
        self._script = script or Script()
        self._frames = 0

    async def subscribed(self, answers: int = 1) -> None:
        """Wait for the exchange's answers to a subscription."""
        self._frames += answers
        await self._read()

    async def play(self, *items: SimulatedTrade | RecordedFrame) -> None:
        """Have the exchange send these, and wait until the bridge has read them."""
        self._frames += len(items)
        self._script.say(*items)
        await self._read()

    def say(self, *items: SimulatedTrade | RecordedFrame) -> None:
        """Have the exchange send these, where nothing keeps it from doing so."""
        self._script.say(*items)

    async def has(self, trades: int) -> None:
        """Wait until the bridge has so many trades, however they came."""
        await self.bridge.until(lambda: self.trades() >= trades, f"{trades} trades")

    def trades(self) -> float:
        """How many trades the bridge has, each counted once."""
        came, again, filled = (self.total(name) or 0 for name in ("trades", "duplicates", "backfilled_trades"))
        return came - again + filled

    async def _read(self) -> None:
        await self.bridge.counts(f'frames_total{{venue="{self._venue}"}}', self._frames)

    def total(self, counter: str, **labels: str) -> float | None:
        """A counter of the venue."""
        text = ",".join(f'{name}="{value}"' for name, value in {"venue": self._venue, **labels}.items())
        return self.bridge.metric(f"{counter}_total{{{text}}}")


@asynccontextmanager
async def running(
    settings: Settings,
    certs: certificates.Certificates,
    *,
    venue: VenueName = VenueName.BINANCE,
    ledger: Ledger | None = None,
    writer: Writer = Writer.DIRECT,
    protocol: VenueProtocol | None = None,
    under: Sequence[str] = (),
    **changes: object,
) -> AsyncIterator[Run]:
    """A bridge that has subscribed to a simulated exchange, and a relay if that writes; a test may stop it itself.

    `protocol` is the venue's own where nothing is said; `under` comes before its command; `changes` replace parts of
    its configuration file.
    """
    script = Script()
    async with Exchange(
        protocol or protocol_of(venue, (BTC, ETH)), script, server_tls(certs), ledger=ledger
    ) as exchange:
        read = settings.model_copy(update={"venues": {venue: venue_of(venue, exchange, (BTC, ETH), certs.ca, writer)}})
        with ExitStack() as programs:
            bridge = programs.enter_context(bridging(read, under, **changes))
            if writer is Writer.RELAY:
                programs.enter_context(relaying(read))
            run = Run(venue, bridge, exchange, script)
            await run.subscribed()
            yield run
