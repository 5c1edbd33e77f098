"""`livetape demo` and `livetape live`: the whole way of a trade on one machine, in one command."""

import signal
from typing import Annotated, NoReturn

import typer

from app import topic_admin
from app.schema_registry import register_all
from app.settings import Settings
from cli import simulated_exchanges
from cli.console import WrongSetting, console, fail, step
from cli.first_bars import wait_for_bars
from cli.run_parts import api_url, parts_of
from cli.runs import alone, demo_home
from cli.servers import start as start_servers
from cli.supervisor import Part, PartFailed, Supervisor
from local import certificates, ports
from local.process import tail
from local.stack import Stack

READY_TIMEOUT_S = 180.0
Seconds = Annotated[float | None, typer.Option(help="Stop by itself this many seconds after it is ready.")]


def demo(seconds: Seconds = None) -> None:
    """Run everything with simulated exchanges, from a fresh market each time."""
    settings = Settings()
    home = demo_home(settings)
    venue_ports = dict(zip(("binance", "kraken"), ports.free_ports(2), strict=True))
    settings = simulated_exchanges.demo_settings(settings, home, venue_ports)
    with alone(home):
        stack = Stack(settings)
        stack.clean()  # the same market comes again with the same trade ids
        _run(settings, stack, [simulated_exchanges.exchanges(settings, venue_ports)], seconds)


def live(seconds: Seconds = None) -> None:
    """Run everything with the real exchanges; what was stored before is kept."""
    settings = Settings()
    with alone(settings.home):
        _run(settings, Stack(settings), [], seconds)


def _run(settings: Settings, stack: Stack, sources: list[Part], seconds: float | None) -> None:
    """Start the servers, prepare topics and database, start the parts, tell when it is ready, and end everything."""
    supervisor = Supervisor()
    _stop_on_signals()
    console.print(f"[bold]livetape {settings.namespace}[/]")
    ports.check_here(settings.api_host, "the API", "LIVETAPE_API_HOST")
    ports.check_free(settings.api_port, "the API", "LIVETAPE_API_PORT", settings.api_host)
    start_servers(stack, detached=False)
    try:
        _prepare(settings)
        _start_parts(settings, supervisor, sources)
        _announce(settings, seconds)
        supervisor.run(seconds, lambda: _watch_servers(stack))
    except KeyboardInterrupt:
        console.print()
    except PartFailed as error:
        fail(str(error))
        raise typer.Exit(1) from error
    finally:
        with step("everything stopped"):
            supervisor.stop()
            stack.stop_started()


def _prepare(settings: Settings) -> None:
    certificates.ensure(settings.certs_dir)
    with step("topics", "as topics.yaml says"):
        topic_admin.apply(settings)
    with step("schemas", "registered"):
        register_all(settings)
    with step("database", settings.namespace):
        _make_tables(settings)


def _make_tables(settings: Settings) -> None:
    from psycopg import OperationalError  # noqa: PLC0415 - `livetape --help` should not wait for these
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    from app.database import migrate  # noqa: PLC0415

    try:
        migrate(settings)
    except (OperationalError, ArgumentError) as error:
        raise WrongSetting(f"Postgres: {error}\nis LIVETAPE_POSTGRES_URL right?") from error


def _start_parts(settings: Settings, supervisor: Supervisor, sources: list[Part]) -> None:
    parts = [*sources, *parts_of(settings)]
    for part in parts:
        supervisor.start(part)
    for part in parts:
        with step(part.name):
            supervisor.wait_ready(part.name, READY_TIMEOUT_S)
    wait_for_bars(settings, supervisor)


def _announce(settings: Settings, seconds: float | None) -> None:
    end = "Ctrl-C stops everything" if seconds is None else f"stops by itself in {seconds:.0f} s"
    console.print(f"\n[bold green]ready[/]: [bold]{api_url(settings)}[/]")
    console.print(f"[dim]{end}; logs are in {settings.logs_dir}[/]\n")


def _watch_servers(stack: Stack) -> None:
    for server in stack.servers:
        child = server.running()
        if child is None or not child.is_alive():
            raise PartFailed(f"{server.title} ended\n{tail(server.log)}\nThe whole log: {server.log}")


def _stop_on_signals() -> None:
    """Let SIGTERM, a closed terminal, and Ctrl-C even where a script has it ignored, end a run in order.

    A terminal that is closed ends none that nohup started.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
