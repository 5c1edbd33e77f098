"""`make bench-sink`: a topic of trades into the table `trade`, by the SQL sink on a Postgres of the benchmark's own.

Measured from the first row that is stored to the last. CPU is user plus system of the sink's process; Postgres's and
the broker's are not counted. The last line is one JSON object.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, LiteralString

import psycopg
import typer
from faust.types import TP

from agents.log_bounds import log_bounds
from app import schema_registry, topic_admin
from app.database import conninfo, migrate
from app.settings import Settings
from bench.parts import started
from bench.processes import CostMeter
from bench.trades_topic import SchemaIds, TradesSpec, produce_trades
from local import stack

if TYPE_CHECKING:
    import subprocess

POLL_S: Final = 0.01
TIMEOUT_S: Final = 300.0
ROWS: Final = "SELECT count(*) FROM trade"
OFFSETS: Final = "SELECT coalesce(sum(next_offset), 0)::bigint FROM stream_offset"


def main(trades: Annotated[int, typer.Option(min=1, help="Trades in the topic.")] = 500_000) -> None:
    """Store the trades and say how many a second that was."""
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        settings = stack.on_free_ports(Settings(namespace="bench"), Path(folder))
        with stack.running(settings):
            _write_topic(settings, TradesSpec(trades))
            migrate(settings)
            print(json.dumps({"trades": trades} | _run(settings, trades)))


def _write_topic(settings: Settings, spec: TradesSpec) -> None:
    topic_admin.apply(settings)
    ids = schema_registry.register_all(settings)
    schema_ids = SchemaIds(ids["livetape.Trade"], ids["livetape.Clock"])
    produce_trades(settings.kafka_bootstrap, [settings.topic("trades")], spec, schema_ids, settings.schemas_dir)


def _run(settings: Settings, trades: int) -> dict[str, int]:
    log = settings.home / "sink.log"
    end = sum(end for _, end in log_bounds(settings, _partitions(settings)).values())
    with (
        psycopg.connect(conninfo(settings), autocommit=True) as connection,
        started(settings, "sink", log) as sink,
    ):
        try:
            _wait(lambda: _number(connection, OFFSETS) > 0, sink, log)
            meter, before = CostMeter(sink.pid), _number(connection, ROWS)
            _wait(lambda: _number(connection, OFFSETS) == end, sink, log)
            cost = meter.read()
            stored = _number(connection, ROWS)
        finally:
            sink.terminate()
    if stored != trades:
        raise RuntimeError(f"{stored:,} of {trades:,} trades are stored")
    rows = stored - before
    return {"rows": rows, "rows_per_s": round(rows / cost.wall_s), "rows_per_cpu_s": round(rows / cost.cpu_s)}


def _partitions(settings: Settings) -> set[TP]:
    return {TP(settings.topic("trades"), partition) for partition in range(TradesSpec(1).partitions)}


def _number(connection: psycopg.Connection[Any], query: LiteralString) -> int:
    row = connection.execute(query).fetchone()
    return 0 if row is None else int(row[0])


def _wait(is_done: Callable[[], bool], sink: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_done():
        if sink.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the sink ended or took more than {TIMEOUT_S:.0f} s: {log.read_text()[-2000:]}")
        time.sleep(POLL_S)


if __name__ == "__main__":
    typer.run(main)
