"""`livetape demo` and `livetape live`: the whole way of a trade on one machine, in one command."""

from functools import partial
from typing import Annotated

import typer

from app.settings import Settings
from cli import simulated_exchanges
from cli.console import console, fail, step
from cli.first_bars import wait_for_bars
from cli.preparation import prepare
from cli.run_parts import api_url, parts_of
from cli.runs import alone, demo_home
from cli.servers import start as start_servers
from cli.signals import interrupt_on_signals
from cli.supervisor import Part, PartFailed, Supervisor
from local import ports
from local.stack import Stack

READY_TIMEOUT_S = 180.0
Seconds = Annotated[float | None, typer.Option(help="Stop this many seconds after it is ready.")]


def demo(seconds: Seconds = None) -> None:
    """Run everything with simulated exchanges, from a fresh market each time."""
    settings = Settings()
    home = demo_home(settings)
    venue_ports = dict(zip(("binance", "kraken"), ports.free_ports(2), strict=True))
    settings = simulated_exchanges.demo_settings(settings, home, venue_ports)
    with alone(home):
        stack = Stack(settings)
        stack.clean()  # the market begins anew, and overlaps in time with the one before
        _run(settings, stack, Supervisor(), [simulated_exchanges.exchanges(settings, venue_ports)], seconds)


def live(seconds: Seconds = None) -> None:
    """Run everything with the real exchanges; keep what was stored before.

    What ends by itself is told and started again for as long as it takes, beside all that goes on.
    """
    settings = Settings()
    with alone(settings.home):
        _run(settings, Stack(settings), Supervisor(for_good=True), [], seconds)


def _run(settings: Settings, stack: Stack, supervisor: Supervisor, sources: list[Part], seconds: float | None) -> None:
    """Start the servers, prepare topics and database, start the parts, tell when it is ready, and end everything."""
    interrupt_on_signals()
    console.print(f"[bold]livetape {settings.namespace}[/]")
    ports.check_here(settings.api_host, "the API", "LIVETAPE_API_HOST")
    ports.check_free(settings.api_port, "the API", "LIVETAPE_API_PORT", settings.api_host)
    start_servers(stack, detached=False)
    try:
        for server, child in stack.children():
            supervisor.keep(server.title, server.log, child, partial(stack.restart, server))
        prepare(settings)
        _start_parts(settings, supervisor, sources)
        _announce(settings, seconds)
        supervisor.run(seconds)
    except KeyboardInterrupt:
        console.print()
    except PartFailed as error:
        fail(str(error))
        raise typer.Exit(1) from error
    finally:
        with step("everything stopped"):
            supervisor.stop()
            stack.stop_started()


def _start_parts(settings: Settings, supervisor: Supervisor, sources: list[Part]) -> None:
    parts = [*sources, *parts_of(settings)]
    for part in parts:
        supervisor.start(part)
    for part in parts:
        with supervisor.tolerating(), step(part.name):
            supervisor.wait_ready(part.name, READY_TIMEOUT_S)
    wait_for_bars(settings, supervisor)


def _announce(settings: Settings, seconds: float | None) -> None:
    end = "Ctrl-C stops everything" if seconds is None else f"stops by itself in {seconds:.0f} s"
    console.print(f"\n[bold green]ready[/]: [bold]{api_url(settings)}[/]")
    console.print(f"[dim]{end}; logs are in {settings.logs_dir}[/]\n")
