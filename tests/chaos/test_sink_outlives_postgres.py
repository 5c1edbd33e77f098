"""The SQL sink while Postgres goes away and comes back."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from app.settings import Settings
from local import ports, stack
from local.postgres import Postgres
from tests.chaos.sink_kit import Market, finish, wait_until
from tests.integration.api_kit import LOCAL
from tests.integration.sql_kit import Database
from tests.own_server import frozen
from tests.parts import Part, running

SEED = 20_261_124
MUCH = 300_000
"""Trades; the sink may gather 50,000."""
GROWTH_MB = 180


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Servers of the test's own, since it stops one of them."""
    settings = stack.on_free_ports(Settings(namespace="test-away"), tmp_path)
    return settings.model_copy(update={"sink_metrics_port": ports.free_ports(1)[0]})


@pytest.fixture
def postgres(settings: Settings) -> Iterator[Postgres]:
    """The running Postgres among them."""
    with stack.running(settings) as servers:
        yield next(server for server in servers.servers if isinstance(server, Postgres))


@contextmanager
def stopped(postgres: Postgres) -> Iterator[None]:
    """Postgres is not there."""
    postgres.stop()
    yield
    postgres.launch(detached=False)
    postgres.wait_ready()


@pytest.mark.parametrize("away", [stopped, frozen])
def test_all_is_stored_when_postgres_is_back_and_memory_stays_bounded(
    settings: Settings, postgres: Postgres, away: Callable[[Postgres], AbstractContextManager[None]]
) -> None:
    market, database = Market(settings, SEED), Database(settings)
    market.write()
    with running("sink", settings) as sink:
        finish(market, database, sink)
        before = peak_mb(sink)
        with away(postgres):
            market.write()
            market.flood(MUCH)
            wait_until(lambda: metric(settings, "livetape_sink_full_total") >= 1, sink)
        finish(market, database, sink)
        assert peak_mb(sink) - before < GROWTH_MB


def metric(settings: Settings, sample: str) -> float:
    """Value of a sample of the sink's /metrics."""
    answer = LOCAL.get(f"http://127.0.0.1:{settings.sink_metrics_port}/metrics")
    values = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    return float(values[sample])


def peak_mb(sink: Part) -> float:
    """The most memory that it had so far: VmHWM of proc(5), in MiB."""
    status = Path(f"/proc/{sink.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def test_a_sink_that_waits_for_postgres_stops_when_it_is_asked_to(settings: Settings, postgres: Postgres) -> None:
    market = Market(settings, SEED)
    market.write()
    postgres.stop()
    with running("sink", settings) as sink:
        wait_until(lambda: "waiting" in sink.printed, sink)
        assert sink.stop() == 0


def test_a_sink_that_hangs_in_a_write_stops_when_it_is_asked_to(settings: Settings, postgres: Postgres) -> None:
    market, database = Market(settings, SEED), Database(settings)
    market.write()
    with running("sink", settings) as sink:
        finish(market, database, sink)
        with frozen(postgres):
            market.write()
            market.flood(MUCH)
            wait_until(lambda: metric(settings, "livetape_sink_full_total") >= 1, sink)
            assert sink.stop() == 0
    with running("sink", settings) as sink:
        finish(market, database, sink)
