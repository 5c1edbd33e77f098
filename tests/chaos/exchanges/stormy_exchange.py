"""A simulated exchange of a seeded market that trades as fast as it is read, and does much wrong."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from app.sources import VenueConfig, Writer
from local import certificates
from replay.exchange import Exchange
from replay.ledger import Ledger, read_ledger
from replay.market import MarketSpec, trades
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.chaos.exchanges.deck import Fault, Kind, faults
from tests.integration.bridge_kit import server_tls, venue_of

INSTRUMENTS: Final = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
UNNUMBERED: Final = (VenueName.BITSTAMP, VenueName.BYBIT)
RELAYED: Final = (VenueName.KRAKEN, VenueName.BYBIT)
"""Those whose writer is the relay."""
CALM_TRADES: Final = 1_000
"""Before the first fault and behind the last, so that every instrument is traded and what is missing lies between."""
UNHEARD_PAUSE_S: Final = 0.002
"""After each trade that not everybody hears: else what nobody listens to would be made without bound."""
ALL: Final = 1 << 40


class StormyExchange:
    """An exchange that remembers all its trades but those that it is told to lose."""

    def __init__(
        self, name: VenueName, seed: int, certs: certificates.Certificates, ledger: Path, note: Callable[[str], None]
    ) -> None:
        self.name = name
        self.protocol = protocol_of(name, INSTRUMENTS)
        self.is_numbered = name not in UNNUMBERED
        self.writer = Writer.RELAY if name in RELAYED else Writer.DIRECT
        self._path = ledger
        self._certs = certs
        self._note = note
        self._resources = ExitStack()
        book = self._resources.enter_context(Ledger(ledger))
        self.exchange = Exchange(self.protocol, self, server_tls(certs), ledger=book, remembered=ALL)
        self._market = trades(MarketSpec(INSTRUMENTS, rate=1_000, seed=seed), 0)
        self._faults = faults(f"{seed} {name}", is_numbered=self.is_numbered)
        self._chance = random.Random(f"{seed} {name} instruments")  # noqa: S311 - no secret
        self._over = asyncio.Event()

    def venue(self) -> VenueConfig:
        """How the bridge finds it."""
        return venue_of(self.name, self.exchange, INSTRUMENTS, self._certs.ca, self.writer)

    async def end(self) -> None:
        """Do nothing wrong any more, and come back when everybody has heard some more trades."""
        self._over.set()
        await self.exchange.played_out.wait()

    def made(self) -> dict[tuple[str, str], SimulatedTrade]:
        """What the ledger has, by instrument and the venue's id."""
        return {(one.instrument, self.protocol.trade_id(one)): one for one in read_ledger(self._path)}

    def kept(self) -> set[tuple[str, str]]:
        """What the REST API can give back, likewise, were it asked within its limits."""
        return {
            (instrument, self.protocol.trade_id(one))
            for instrument in INSTRUMENTS
            for one in self.exchange.history.of(instrument)
        }

    async def __aenter__(self) -> Self:
        await self.exchange.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.exchange.__aexit__(kind, error, trace)
        self._resources.close()

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade]:
        """The market: some calm, the storm until `end`, and calm again."""
        await self.exchange.heard(INSTRUMENTS)
        for _ in range(CALM_TRADES):
            yield await self._next()
        while not self._over.is_set():
            fault = next(self._faults)
            for _ in range(fault.after):
                yield await self._next()
                if self._over.is_set():
                    break
            else:
                await self._strike(fault)
        self.exchange.faults.relent()
        while not self.exchange.is_heard(INSTRUMENTS):  # a dead subscription shows by trades alone
            yield await self._next()
        for _ in range(CALM_TRADES):
            yield await self._next()

    async def _next(self) -> SimulatedTrade:
        if not self.exchange.is_heard(INSTRUMENTS):
            await asyncio.sleep(UNHEARD_PAUSE_S)
        resolution_ns = PROTOCOLS[self.name].resolution_ns
        return replace(next(self._market), event_time_ns=time.time_ns() // resolution_ns * resolution_ns)

    async def _strike(self, fault: Fault) -> None:
        self._note(f"{self.name}: {fault.kind}")
        wrong = self.exchange.faults
        match fault.kind:
            case Kind.CUT:
                await self.exchange.drop_connections()
            case Kind.SKIP:
                wrong.skip(fault.amount)
            case Kind.LOSE:
                wrong.lose(fault.amount)
            case Kind.REPEAT:
                wrong.repeat(fault.amount)
            case Kind.GARBAGE:
                wrong.garbage(fault.amount)
            case Kind.REFUSE:
                wrong.refuse(fault.amount)
            case Kind.DEAF | Kind.STUBBORN:
                self.exchange.deafen(self._chance.choice(INSTRUMENTS), stubborn=fault.kind is Kind.STUBBORN)
