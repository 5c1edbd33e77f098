"""A history that answers badly costs bounded memory: what is missing comes once it is well, and others go on."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final

import pytest

from app.settings import Settings
from app.sources import VenueConfig
from app.units import SECOND_NS
from local import certificates
from replay.exchange import Exchange
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration.bridge_kit import Bridge, Script, bridging, read_topic, server_tls, trades_of
from tests.integration.bridge_run import BTC, ETH, trade
from tests.integration.hostile_server import Client, HistoryAttack, HostileHistory, answered, forever, paced
from tests.integration.test_hostile_server import BOUND_MIB, CHUNKED, OK, PACKED, peak_mib, says

INSTRUMENTS: Final = (BTC, ETH)
MISSED: Final = 2
"""The trade that nobody hears."""
LAST: Final = 3


@dataclass(frozen=True)
class Flaw:
    """What a history does, and what the bridge says of it."""

    attack: HistoryAttack
    reason: str


def sends(head: str, reason: str, body: bytes = b"", then: bytes = b"") -> Flaw:
    """Answers by this, then something without end."""

    async def attack(client: Client, _truth: str) -> None:
        await client.send(head.encode() + body)
        if then:
            await client.send_all(forever(then))

    return Flaw(attack, f"answer: {reason}")


def refuses(status: str, *headers: str, wait_ms: int = 2_000) -> Flaw:
    """Answers by a status, and the bridge asks again after so long."""

    async def attack(client: Client, _truth: str) -> None:
        await client.send(answered("{}", status, *headers))

    code = status.split(" ", 1)[0]
    return Flaw(attack, f"next attempt in {wait_ms} ms: answer: HTTP status {code}")


def tampers(old: str, new: str, reason: str) -> Flaw:
    """Answers as the venue would, but with something else in one place."""

    async def attack(client: Client, truth: str) -> None:
        assert old in truth, truth
        await client.send(answered(truth.replace(old, new)))

    return Flaw(attack, f"answer: {reason}")


async def silence(_client: Client, _truth: str) -> None:
    """Nothing."""


async def dribbles(client: Client, truth: str) -> None:
    """The truth, so slowly that it never ends."""
    await client.send(f"{OK}Content-Length: {1 << 20}\r\n\r\n".encode() + truth.encode())
    async for piece in paced(b" ", every_s=1):
        await client.send(piece)


TOO_SLOW: Final = "answer: The socket was closed due to a timeout"
FLAWS: Final[Mapping[str, Mapping[VenueName, Flaw]]] = {
    "endless": {
        VenueName.BINANCE: sends(f"{OK}\r\n", then=b"[", reason="body limit exceeded"),
        VenueName.BINANCE_USDM: sends(f"{OK}Content-Length: 1099511627776\r\n\r\n", reason="body limit exceeded"),
        VenueName.BITSTAMP: sends(CHUNKED, then=b"1000\r\n" + b"[" * 0x1000 + b"\r\n", reason="body limit exceeded"),
        VenueName.BYBIT: sends(OK, then=b"X-Livetape: on and on\r\n", reason="header limit exceeded"),
        VenueName.COINBASE: Flaw(dribbles, TOO_SLOW),
        VenueName.OKX: Flaw(silence, TOO_SLOW),
    },
    "refusing": {
        VenueName.BINANCE: refuses("418 I'm a teapot", "Retry-After: 3", wait_ms=3_000),
        VenueName.BINANCE_USDM: refuses("403 Forbidden", "Retry-After: 1"),
        VenueName.BITSTAMP: refuses("500 Internal Server Error"),
        VenueName.BYBIT: refuses("429 Too Many Requests", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", wait_ms=10_000),
        VenueName.KRAKEN: refuses("301 Moved Permanently", "Location: /0/public/Trades"),
        VenueName.OKX: sends(
            f"{OK}Content-Encoding: gzip\r\nContent-Length: {len(PACKED)}\r\n\r\n",
            body=PACKED,
            reason="it is compressed, which was not asked for",
        ),
    },
    "wrong": {
        VenueName.BINANCE: tampers('"100.10"', '"1e400"', "price_out_of_range"),
        VenueName.BINANCE_USDM: tampers('"a": 2', '"a": 99999999999999999999', "missing_field"),
        VenueName.BITSTAMP: tampers('"100.10"', "[1]", "missing_field"),
        VenueName.BYBIT: tampers("BTCUSDT", "ETHUSDT", "it has trades of another instrument"),
        VenueName.COINBASE: tampers('"time": "2', '"time": "9', "time_out_of_range"),
        VenueName.OKX: tampers('"instId": "BTC-USDT"', '"instId": "ETH-USDT"', "it has trades of another instrument"),
    },
    "no answer at all": {
        VenueName.BINANCE: sends(f"{OK}Content-Length: 6\r\n\r\n<html>", reason="malformed_json"),
        VenueName.BINANCE_USDM: sends(f"{OK}Content-Length: 400000\r\n\r\n" + "[" * 400_000, reason="malformed_json"),
        VenueName.BYBIT: sends(f"{OK}Content-Length: 2\r\n\r\n[]", reason="malformed_json"),
        VenueName.COINBASE: sends(f"{OK}Content-Length: 2\r\n\r\n{{}}", reason="malformed_json"),
        VenueName.KRAKEN: sends(f"{OK}Content-Length: 13\r\n\r\n" + '{"result":42}', reason="missing_field"),
        VenueName.OKX: sends(f"{OK}Content-Length: 21\r\n\r\n" + '{"code":"0","data":7}', reason="missing_field"),
    },
}


class Besieged:
    """One venue: its exchange, whose trades the test says, and its REST API."""

    def __init__(self, name: VenueName, certs: certificates.Certificates) -> None:
        self.name = name
        self._ca = certs.ca
        protocol = protocol_of(name, INSTRUMENTS)
        self.script = Script()
        self.exchange = Exchange(protocol, self.script, server_tls(certs))
        self.rest = HostileHistory(certs, protocol, self.exchange.history)

    def venue(self) -> VenueConfig:
        """How the bridge finds both."""
        url = f"wss://{self.exchange.address}{PROTOCOLS[self.name].path}"
        return VenueConfig(
            url=url, rest_url=f"https://127.0.0.1:{self.rest.port}", instruments=INSTRUMENTS, ca_file=self._ca
        )

    async def trades(self, bridge: Bridge, number: int) -> None:
        """Have a trade made and heard."""
        await self.exchange.heard(INSTRUMENTS)
        self.script.say(recent(number))
        came = f'trades_total{{venue="{self.name}"}}'
        await bridge.counts(came, number if number < MISSED else number - 1)

    async def miss(self) -> None:
        """Have one made that nobody hears."""
        await self.exchange.drop_connections()
        self.script.say(recent(MISSED))


def recent(number: int) -> SimulatedTrade:
    """A trade of the last minute, since some histories go back no further than an hour."""
    return replace(trade(number), event_time_ns=time.time_ns() // SECOND_NS * SECOND_NS)


@pytest.mark.parametrize("kind", FLAWS)
async def test_what_was_missed_comes_once_a_bad_history_is_well(
    here: Settings, certs: certificates.Certificates, kind: str
) -> None:
    flaws = FLAWS[kind]
    besieged = {name: Besieged(name, certs) for name in VenueName}
    (good,) = besieged.keys() - flaws.keys()
    async with AsyncExitStack() as opened:
        for one in besieged.values():
            await opened.enter_async_context(one.exchange)
            await opened.enter_async_context(one.rest)
        settings = here.model_copy(update={"venues": {name: one.venue() for name, one in besieged.items()}})
        with bridging(settings) as bridge:
            for one in besieged.values():
                await one.trades(bridge, 1)
            before_mib = peak_mib(bridge)
            for name, one in besieged.items():
                one.rest.attack = flaws[name].attack if name in flaws else None
                await one.miss()
            await fills(bridge, besieged[good])
            for name, flaw in flaws.items():
                await bridge.until(lambda name=name, flaw=flaw: says(bridge, name, flaw.reason) > 0, f"{name}: {flaw}")  # type: ignore[misc]  # mypy infers no lambda with defaults
                await bridge.until(lambda name=name: besieged[name].rest.strikes > 1, f"another strike at {name}")  # type: ignore[misc]  # mypy infers no lambda with defaults
            await besieged[good].trades(bridge, LAST)
            assert peak_mib(bridge) - before_mib < BOUND_MIB
            for name in flaws:
                besieged[name].rest.attack = None
                await fills(bridge, besieged[name])
                await besieged[name].trades(bridge, LAST)
            assert await bridge.stop() == 0
    records = await asyncio.to_thread(read_topic, settings)
    for name in VenueName:
        numbers = {besieged[name].exchange._protocol.trade_id(trade(number)) for number in range(1, LAST + 1)}
        assert [record.fields["instrument"] for record in trades_of(records, name)] == [BTC] * LAST, name
        assert {record.fields["trade_id"] for record in trades_of(records, name)} == numbers, name
    assert await asyncio.to_thread(read_topic, settings, "gaps") == []


LIMITS: Final = {
    VenueName.BYBIT: ('{"retCode":10006,"retMsg":"Too many visits!","result":{}}', "10006 Too many visits!"),
    VenueName.KRAKEN: ('{"error":["EGeneral:Too many requests"]}', "EGeneral:Too many requests"),
    VenueName.OKX: ('{"code":"50011","msg":"Too Many Requests","data":[]}', "50011 Too Many Requests"),
}
"""What venues answer with status 200 to whoever asks too much, and what the bridge says of it."""
LEFT_ALONE_S: Final = 10


@pytest.mark.parametrize("venue", LIMITS)
async def test_a_venue_that_tells_its_limit_within_an_answer_is_asked_for_no_instrument_for_ten_seconds(
    here: Settings, certs: certificates.Certificates, venue: VenueName
) -> None:
    answer, reason = LIMITS[venue]
    asked_s: list[float] = []

    async def refuse(client: Client, _truth: str) -> None:
        asked_s.append(time.monotonic())
        await client.send(answered(answer))

    limited = Besieged(venue, certs)
    async with limited.exchange, limited.rest:
        with bridging(here.model_copy(update={"venues": {venue: limited.venue()}})) as bridge:
            await limited.exchange.heard(INSTRUMENTS)
            limited.script.say(*(replace(recent(1), instrument=name) for name in INSTRUMENTS))
            await bridge.counts(f'trades_total{{venue="{venue}"}}', len(INSTRUMENTS))
            limited.rest.attack = refuse
            await limited.miss()  # and both are in doubt
            await bridge.says(f"{venue}: the history cannot be read, next attempt in 10000 ms: answer: {reason}")
            await bridge.until(lambda: len(asked_s) > 1, "another question")
            limited.rest.attack = None
            await fills(bridge, limited)
            assert await bridge.stop() == 0
    assert asked_s[1] - asked_s[0] >= LEFT_ALONE_S


async def test_a_venue_that_bars_us_is_left_alone_and_holds_up_neither_others_nor_the_end(
    here: Settings, certs: certificates.Certificates
) -> None:
    """Bybit says by 403 that it wants to be left alone for ten minutes, and not until when."""
    barred, other = (Besieged(name, certs) for name in (VenueName.BYBIT, VenueName.BINANCE))
    flaw = refuses("403 Forbidden", wait_ms=600_000)
    async with AsyncExitStack() as opened:
        for one in (barred, other):
            await opened.enter_async_context(one.exchange)
            await opened.enter_async_context(one.rest)
        settings = here.model_copy(update={"venues": {one.name: one.venue() for one in (barred, other)}})
        with bridging(settings) as bridge:
            for one in (barred, other):
                await one.trades(bridge, 1)
            barred.rest.attack = flaw.attack
            await barred.miss()
            await bridge.until(lambda: says(bridge, barred.name, flaw.reason) > 0, str(flaw))
            await other.miss()
            await fills(bridge, other)
            for one in (barred, other):
                await one.trades(bridge, LAST)
            assert await bridge.stop() == 0
            assert barred.rest.strikes == 1


async def fills(bridge: Bridge, one: Besieged) -> None:
    """Wait until the missed trade has come from the history."""
    await bridge.counts(f'backfilled_trades_total{{venue="{one.name}"}}', 1)
