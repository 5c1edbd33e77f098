"""`livetape replay`: simulated exchanges and packet feeds, from a seeded market or from a recording."""

import asyncio
import contextlib
import ipaddress
import ssl
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from app.intervals import duration_ns
from replay.capture import SUFFIXES, CaptureSource
from replay.control import serve_control
from replay.exchange import Exchange
from replay.ledger import Ledger
from replay.market import Market, MarketSpec
from replay.market_clock import HistoryClock, WallClock
from replay.packet_feed import Address, Line, LineFaults, PacketFeed
from replay.packet_sources import FileSource, MarketSource
from replay.recording import BadRecording, FrameRecording, TradeRecording, read_kraken_trades
from replay.venues import PROTOCOLS, VenueName, protocol_of

app = typer.Typer(no_args_is_help=True, help="Simulated exchanges that speak the venues' own protocols.")
console = Console(stderr=True)
MAXIMUM_SPEED: Final = "max"


Certificate = Annotated[Path, typer.Option("--cert", exists=True, help="The server's certificate, PEM.")]
Key = Annotated[Path, typer.Option("--key", exists=True, help="Its private key, PEM.")]
LedgerFile = Annotated[Path | None, typer.Option("--ledger", help="Append every trade made to this file.")]
Control = Annotated[int | None, typer.Option("--control", help="Port on which faults are told.")]


@app.command()
def market(  # noqa: PLR0917 - each an option of the command line
    cert: Certificate,
    key: Key,
    venue: Annotated[list[str], typer.Option(help="VENUE=PORT, as often as there are venues.")],
    instruments: Annotated[str, typer.Option(help="Canonical names, comma-separated.")] = "BTC-USDT,ETH-USDT",
    rate: Annotated[int, typer.Option(min=1, help="Trades a second and venue.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed makes the same market.")] = 1,
    history: Annotated[str | None, typer.Option(help="Begin this long ago and run fast until now: 10m, 1h.")] = None,
    ledger: LedgerFile = None,
    control: Control = None,
) -> None:
    """Serve a seeded market."""
    names = [name.strip() for name in instruments.split(",") if name.strip()]
    if not names or any(name.count("-") != 1 for name in names):
        _fail(f"--instruments {instruments!r}: canonical names are needed, such as BTC-USDT,ETH-USDT")
    history_ns = 0
    try:
        history_ns = duration_ns(history) if history else 0
        ports = {VenueName(name): int(port) for name, _, port in (part.partition("=") for part in venue)}
    except ValueError as error:
        _fail(f"{error}: --venue wants VENUE=PORT with one of {', '.join(VenueName)}, --history a time such as 10m")
    tls = _tls(cert, key)
    with Ledger(ledger) as book:
        exchanges = []
        for name, port in ports.items():
            spec = MarketSpec(names, rate, seed + list(VenueName).index(name), PROTOCOLS[name].resolution_ns)
            clock = HistoryClock(history_ns) if history_ns else WallClock()
            exchanges.append(Exchange(protocol_of(name, names), Market(spec, clock), tls, port=port, ledger=book))
        _run(exchanges, list(ports), control)


@app.command()
def recording(  # noqa: PLR0917 - each an option of the command line
    file: Annotated[
        Path, typer.Argument(help="*.frames.gz of `livetape record`, or an answer of Kraken's REST Trades as JSON.")
    ],
    cert: Certificate,
    key: Key,
    venue: Annotated[VenueName, typer.Option(help="Whose protocol is spoken.")],
    port: Annotated[int, typer.Option(help="Port to serve on.")],
    instrument: Annotated[
        str, typer.Option(help="What the venue lists, comma-separated; of a REST answer the one that it is of.")
    ] = "BTC-USDT",
    speed: Annotated[str, typer.Option(help="1 for its own pace, N times as fast, or max.")] = "1",
    control: Control = None,
) -> None:
    """Serve a recording."""
    factor = _speed(speed)
    protocol = protocol_of(venue, instrument.split(","))
    try:
        if file.suffix == ".json":
            source: FrameRecording | TradeRecording = TradeRecording(read_kraken_trades(file, instrument), factor)
        else:
            file.open("rb").close()
            source = FrameRecording(file, factor, protocol.recorded_stream)
    except (BadRecording, OSError) as error:
        _fail(str(error))
    exchange = Exchange(protocol, source, _tls(cert, key), port=port)
    _run([exchange], [venue], control)


@app.command()
def packets(  # noqa: PLR0917 - each an option of the command line
    line: Annotated[list[str], typer.Option(help="HOST:PORT of a line, a multicast group or a host; one or two.")],
    rerequest: Annotated[str | None, typer.Option(help="HOST:PORT that the re-request server listens on.")] = None,
    interface: Annotated[
        str, typer.Option(help="IPv4 address of the interface that groups are sent by.")
    ] = "127.0.0.1",
    file: Annotated[
        Path | None, typer.Option(exists=True, help="An ITCH 5.0 file or a capture, *.pcap(.gz), in place of a market.")
    ] = None,
    speed: Annotated[str, typer.Option(help="Of a capture: 1 for its own pace, N times as fast, or max.")] = "1",
    stocks: Annotated[str, typer.Option(help="Symbols of the market, comma-separated.")] = "AAPL,MSFT,NVDA",
    rate: Annotated[str, typer.Option(help="Messages a second, or max.")] = "2000",
    messages: Annotated[int | None, typer.Option(min=1, help="End the market's day after so many.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same market and the same faults.")] = 1,
    timezone: Annotated[str, typer.Option(help="Of the market.")] = "America/New_York",
    loss: Annotated[
        float, typer.Option(min=0, max=1, help="Of each line's packets, and of the server's answers.")
    ] = 0.0,
    duplicate: Annotated[float, typer.Option(min=0, max=1, help="Of each line's packets.")] = 0.0,
    reorder: Annotated[float, typer.Option(min=0, max=1, help="Of each line's packets.")] = 0.0,
    ledger: LedgerFile = None,
) -> None:
    """Send ITCH 5.0 over MoldUDP64, with a re-request server."""
    faults = LineFaults(loss, duplicate, reorder)
    pace = None if rate == MAXIMUM_SPEED else int(_speed(rate) or 0)
    names = [name.strip() for name in stocks.split(",") if name.strip()]
    with Ledger(ledger) as book:
        try:
            lines = [
                Line(_address(each), interface, faults, f"{seed} line {number}") for number, each in enumerate(line)
            ]
            server = None if rerequest is None else _address(rerequest)
            source: MarketSource | FileSource | CaptureSource
            if file is None:
                source = MarketSource(names, seed, timezone, rate=pace, messages=messages, ledger=book)
            elif file.name.endswith(SUFFIXES):
                source = CaptureSource(file, _speed(speed))
            else:
                source = FileSource(file, pace)
        except (BadRecording, ValueError, OSError) as error:
            _fail(str(error))
        # Each start counts from 1: that of a session which was heard already would be taken for what has come.
        session = source.session if isinstance(source, CaptureSource) else f"{int(time.time()):010d}"
        feed = PacketFeed(source, lines, session=session, rerequest=server, server_faults=faults, seed=seed)
        _serve(_send(feed, line))


async def _send(feed: PacketFeed, lines: Sequence[str]) -> None:
    async with feed:
        console.print(f"ITCH at {' and '.join(lines)}")
        await feed.wait()
        console.print("played to the end; the end of the session is told until you stop it")
        await asyncio.Event().wait()


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        raise ValueError(f"{text!r}: an address is HOST:PORT")
    return str(ipaddress.IPv4Address(host)), int(port)


def _run(exchanges: Sequence[Exchange], venues: Sequence[VenueName], control: int | None) -> None:
    async def serve() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for exchange, venue in zip(exchanges, venues, strict=True):
                await stack.enter_async_context(exchange)
                console.print(f"{venue} at wss://{exchange.address}{PROTOCOLS[venue].path}")
            if control is not None:
                stack.push_async_callback((await serve_control(exchanges, control)).cleanup)
            await asyncio.gather(*(exchange.wait() for exchange in exchanges))
            console.print("played to the end; the connections stay open until you stop it")
            await asyncio.Event().wait()

    _serve(serve())


def _serve(work: Coroutine[None, None, None]) -> None:
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        pass
    except OSError as error:
        _fail(f"{error.strerror or error}: choose another address")
    except BadRecording as error:
        _fail(str(error))


def _tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def _speed(text: str) -> float | None:
    if text == MAXIMUM_SPEED:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if speed <= 0:
        _fail(f"--speed {text!r}: a number above 0, or {MAXIMUM_SPEED}")
    return speed


def _fail(message: str) -> NoReturn:
    console.print(f"[red]{message}[/]")
    raise typer.Exit(1)
