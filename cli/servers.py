"""`livetape up`, `down`, `status`: the servers of one machine."""

import time
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.settings import Settings
from cli.bridge_status import bridge_table, read_metrics
from cli.console import console, done, working
from cli.runs import demo_home, is_on, servers_seen
from local import certificates, ports
from local.errors import LocalError, NotLocal
from local.server import Server
from local.stack import Report, Stack


def up() -> None:
    """Start Kafka, the schema registry and Postgres on this machine, and leave them running.

    It also makes the certificates by which simulated exchanges are served.
    """
    settings = Settings()
    certificates.ensure(settings.certs_dir)
    stack = Stack(settings)
    start(stack, detached=True)
    console.print(f"\nLogs are in {stack.home / 'logs'}. `livetape down` stops the servers.")


def down(
    *,
    clean: Annotated[
        bool,
        typer.Option(
            "--clean",
            help="Also delete the data of all namespaces: topics, schemas, databases, and the bridge's spool and "
            "positions. Stop bridges first.",
        ),
    ] = False,
) -> None:
    """Stop the servers that `livetape up` started; a demo or live run stops its own."""
    settings = Settings()
    if is_on(settings.home):
        raise LocalError(
            f"a run with its files in {settings.home} is on and has these servers: Ctrl-C where it was started ends it"
        )
    stack = Stack(settings)
    if not any(server.running() for server in stack.servers):
        console.print("No server of ours is running.")
    _tell_of_demo(settings)
    end = stack.clean if clean else stack.stop
    with working("Stopping the servers"):
        end(lambda server, state: done(server.title, state))
    if clean:
        done("data", f"removed from {stack.home}: data, spool, positions")


def status() -> None:
    """Show which servers and parts run, and what the bridge reads."""
    settings = Settings()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("server", "state", "address", "pid"):
        table.add_column(column)
    for place in servers_seen(settings):
        table.add_row(*_cells(place))
    console.print(table)
    metrics = read_metrics(settings.bridge_metrics)
    venues = bridge_table(metrics) if metrics is not None else None
    if venues is not None:
        console.print()
        console.print(venues)
    console.print(f"\nLogs are in {settings.logs_dir}.")
    _tell_of_demo(settings)


def _tell_of_demo(settings: Settings) -> None:
    home = demo_home(settings)
    if is_on(home):
        console.print(f"A demo is on, and its servers end with it. Its logs are in {escape(str(home / 'logs'))}.")


def start(stack: Stack, *, detached: bool) -> None:
    """Start a stack's servers, telling of each as it becomes ready."""
    with working("Starting the servers"):
        stack.start(detached=detached, report=_teller())


def _teller() -> Report:
    began = time.monotonic()

    def tell(server: Server, state: str) -> None:
        if state == "ready":
            done(server.title, _address(server), time.monotonic() - began)
        elif state == "already running":
            done(server.title, f"{_address(server)}, {state}")

    return tell


def _cells(place: Server | NotLocal) -> tuple[str, str, str, str]:
    if isinstance(place, NotLocal):
        return place.server, "[dim]elsewhere[/]", escape(place.address), ""
    child = place.running()
    return place.title, _state(place), _address(place), str(child.pid) if child else ""


def _state(server: Server) -> str:
    if server.running() is not None:
        if server.started_for() != server.ports:
            return f"[yellow]started for port {_first(server.started_for())}[/]"
        return "[green]ready[/]" if server.serves() else "[yellow]not answering[/]"
    port = _first(server.ports)
    return "[dim]stopped[/]" if ports.is_free(port) else f"[red]port taken by {ports.holder(port)}[/]"


def _address(server: Server) -> str:
    return f"127.0.0.1:{_first(server.ports)}"


def _first(port_of: Mapping[str, int]) -> int:
    """The port that clients are to use."""
    return next(iter(port_of.values()))
