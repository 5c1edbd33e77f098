"""`livetape replay`: simulated exchanges and packet feeds, from a seeded market or from a recording."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Container, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from app.intervals import duration_ns
from app.time_zones import check_timezone
from replay.capture import SUFFIXES, CaptureSource
from replay.compressed import BadRecording
from replay.control import serve_control
from replay.exchange import SETTLED_S, Exchange, Source
from replay.ledger import Ledger
from replay.market import Market, MarketSpec
from replay.market_clock import HistoryClock, WallClock
from replay.options import (
    LAST_PORT,
    read_address,
    read_as,
    read_host,
    read_instruments,
    read_rate,
    read_speed,
    read_stocks,
    read_venues,
)
from replay.packet_feed import Line, LineFaults, PacketFeed
from replay.packet_sources import FileSource, MarketSource
from replay.recording import FrameRecording, RecordedFrame, TradeRecording, read_kraken_trades
from replay.venues import PROTOCOLS, VenueName, protocol_of

app = typer.Typer(no_args_is_help=True, help="Simulated exchanges that speak the venues' own protocols.")
console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
"""Its lines hold paths and answers of others: they stand as they are, however long."""

PacketSource = MarketSource | FileSource | CaptureSource

Certificate = Annotated[Path, typer.Option("--cert", exists=True, help="Certificate of the server, PEM.")]
Key = Annotated[Path, typer.Option("--key", exists=True, help="Private key of the server, PEM.")]
LedgerFile = Annotated[Path | None, typer.Option("--ledger", help="Append every generated trade to this file.")]
Control = Annotated[
    int | None, typer.Option("--control", min=0, max=LAST_PORT, help="Port that takes faults to inject.")
]


@app.command()
def market(  # noqa: PLR0917 - each an option of the command line
    cert: Certificate,
    key: Key,
    venue: Annotated[list[str], typer.Option(help="VENUE=PORT; repeat it for several venues.")],
    instruments: Annotated[str, typer.Option(help="Canonical names, comma-separated.")] = "BTC-USDT,ETH-USDT",
    rate: Annotated[int, typer.Option(min=1, help="Trades per second and venue.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed makes the same market.")] = 1,
    history: Annotated[
        str | None, typer.Option(help="Begin this long ago and catch up with the present: 10m, 1h.")
    ] = None,
    ledger: LedgerFile = None,
    control: Control = None,
) -> None:
    """Serve a seeded market."""
    with _failing_plainly():
        names = read_instruments("--instruments", instruments)
        history_ns = read_as("--history", duration_ns, history) if history else 0
        ports = read_venues(venue)
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
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files *.frames.gz of `livetape record`, raw recordings of cryptofeed (several are played as one), "
            "or one JSON answer of Kraken's REST Trades."
        ),
    ],
    cert: Certificate,
    key: Key,
    venue: Annotated[VenueName, typer.Option(help="Venue whose protocol is spoken.")],
    port: Annotated[int, typer.Option(min=0, max=LAST_PORT, help="Port to listen on.")],
    instrument: Annotated[
        str, typer.Option(help="Instruments that the venue lists, comma-separated; for a REST answer, its instrument.")
    ] = "BTC-USDT",
    speed: Annotated[str, typer.Option(help="Speed: 1 as recorded, N times as fast, or max.")] = "1",
    control: Control = None,
) -> None:
    """Serve one recording, or several as one."""
    with _failing_plainly():
        factor, names = read_speed(speed), read_instruments("--instrument", instrument)
        protocol = protocol_of(venue, names)
        source: Source
        if any(each.suffix == ".json" for each in files):
            if len(files) > 1:
                raise ValueError("one answer of Kraken's REST Trades can be played, or several recordings of frames")
            source = TradeRecording(read_kraken_trades(files[0], instrument), factor)
        else:
            streams = {*map(protocol.stream_of, names), *map(protocol.quote_stream_of, names)}
            frames = FrameRecording(files, factor, protocol.recorded_stream)
            source = _counted(frames, streams, f"{venue}'s streams of {', '.join(names)}")
    exchange = Exchange(protocol, source, _tls(cert, key), port=port, quiet_s=SETTLED_S)
    _run([exchange], [venue], control)


@app.command()
def packets(  # noqa: PLR0917 - each an option of the command line
    line: Annotated[list[str], typer.Option(help="HOST:PORT of a line, multicast or unicast; one or two.")],
    rerequest: Annotated[str | None, typer.Option(help="HOST:PORT on which the re-request server listens.")] = None,
    interface: Annotated[str, typer.Option(help="IPv4 address of the interface that sends multicast.")] = "127.0.0.1",
    file: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            help="Send an ITCH 5.0 file, gzipped or not, or a capture, *.pcap(.gz), instead of a generated market; "
            "repeat it for several captures of one session.",
        ),
    ] = None,
    speed: Annotated[str, typer.Option(help="Speed of a capture: 1 as recorded, N times as fast, or max.")] = "1",
    stocks: Annotated[str, typer.Option(help="Symbols of the generated market, comma-separated.")] = "AAPL,MSFT,NVDA",
    rate: Annotated[str, typer.Option(help="Messages per second, or max.")] = "2000",
    messages: Annotated[int | None, typer.Option(min=1, help="End the generated day after this many messages.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same market and the same faults.")] = 1,
    timezone: Annotated[str, typer.Option(help="Time zone of the exchange.")] = "America/New_York",
    loss: Annotated[
        float, typer.Option(min=0, max=1, help="Share of each line's packets and of the server's answers to lose.")
    ] = 0.0,
    duplicate: Annotated[float, typer.Option(min=0, max=1, help="Share of each line's packets to send twice.")] = 0.0,
    reorder: Annotated[float, typer.Option(min=0, max=1, help="Share of each line's packets to send late.")] = 0.0,
    ledger: LedgerFile = None,
) -> None:
    """Send ITCH 5.0 over MoldUDP64, with a re-request server."""
    faults = LineFaults(loss, duplicate, reorder)
    with Ledger(ledger) as book:
        with _failing_plainly():
            pace, factor, names = read_rate(rate), read_speed(speed), read_stocks(stocks)
            addresses, way = [read_address("--line", each) for each in line], read_host("--interface", interface)
            server = None if rerequest is None else read_address("--rerequest", rerequest)
            made = partial(MarketSource, names, seed, rate=pace, messages=messages, ledger=book)
            source = _recorded(file, pace, factor) if file else made(read_as("--timezone", check_timezone, timezone))
            lines = [Line(each, way, faults, f"{seed} line {number}") for number, each in enumerate(addresses)]
        session, has_end = _session_of(source)
        feed = PacketFeed(
            source, lines, session=session, has_end=has_end, rerequest=server, server_faults=faults, seed=seed
        )
        _serve(_send(feed, line, "the end of the session is told" if has_end else "the session goes on by heartbeats"))


async def _counted(
    frames: AsyncIterable[RecordedFrame], streams: Container[str], what: str
) -> AsyncIterator[RecordedFrame]:
    """The frames; told at their end is how many were on these streams: another venue's can be read and play nothing."""
    played = heard = 0
    async for frame in frames:
        played += 1
        heard += frame.stream in streams
        yield frame
    console.print(f"{heard:,} of {played:,} frames were on {what}", style=None if heard else "red")


def _recorded(files: Sequence[Path], rate: int | None, speed: float | None) -> FileSource | CaptureSource:
    if all(file.name.endswith(SUFFIXES) for file in files):
        return CaptureSource(files, speed)
    if len(files) > 1:
        raise ValueError("--file: one ITCH file can be played, or several captures, *.pcap(.gz), of one session")
    return FileSource(files[0], rate)


def _session_of(source: PacketSource) -> tuple[str, bool]:
    """The session's name, and whether its end is told.

    But for a capture's, each start has a session of its own, since it counts from 1: what was heard already of a former
    one would be taken for what comes.
    """
    return (source.session, source.has_end) if isinstance(source, CaptureSource) else (f"{int(time.time()):010d}", True)


async def _send(feed: PacketFeed, lines: Sequence[str], told: str) -> None:
    async with feed:
        console.print(f"ITCH at {' and '.join(lines)}")
        await feed.wait()
        console.print(f"played to the end; {told} until you stop it")
        await asyncio.Event().wait()


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
    with _reading_pem("--cert", cert, "it has no certificate in PEM"):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert)  # alone, to tell it from the key
    with _reading_pem("--key", key, "it has no private key in PEM that --cert is the certificate of"):
        context.load_cert_chain(cert, key)
    return context


@contextlib.contextmanager
def _reading_pem(option: str, file: Path, lacking: str) -> Iterator[None]:
    """End with the option whose file cannot be used; OpenSSL itself names none."""
    try:
        yield
    except ssl.SSLError:
        _fail(f"{option} {file}: {lacking}")
    except OSError as error:
        _fail(f"{option} {file}: {error.strerror}")


@contextlib.contextmanager
def _failing_plainly() -> Iterator[None]:
    """End with what an option or a file is wrong in."""
    try:
        yield
    except (BadRecording, ValueError, OSError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    console.print(message, style="red")
    raise typer.Exit(1)
