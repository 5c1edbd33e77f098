"""`make bench-growth`: what a trade costs the worker with 10 and with 100,000 instruments, and with two workers.

The workers have their partitions, are held by SIGSTOP while the trades are written, and are then let go: all of them
find the whole topic and none of them a rebalance. CPU is user plus system of the workers. More instruments make more
bars as well, and each is written: in a quiet market one of 4 or 5 trades, in a busy one of 40. Bars of a second of
1,000 instruments are about as many as those of a minute of 100,000, and show what is the bars' part. The last line is
one JSON object.
"""

import json
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from app import schema_registry, topic_admin
from app.settings import Settings
from app.units import SECOND_NS
from bench import livetape_engine
from bench.processes import Cost, CostMeter
from bench.trades_topic import SchemaIds, TradesSpec, produce, records
from local import stack

FEW: Final = 10
USUAL: Final = 1_000
MANY: Final = 100_000
BUSY_TRADES_PER_S: Final = 100_000
"""Of event time, the fastest pace of `make bench-latency`; the quiet market has 2,222 of 4 million."""
HELD_MS: Final = 85_000
"""How long a worker may be silent, and the trades may take to write; Faust allows less than its 90 s for a request."""


def main(trades: Annotated[int, typer.Option(min=1, help="Trades in each topic.")] = 4_000_000) -> None:
    """Fold the same number of trades seven times."""
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        base = stack.on_free_ports(Settings(intervals=("1m",), session_timeout_ms=HELD_MS), Path(folder))
        with stack.running(base):
            quiet = {
                (instruments, workers): _fold(base, TradesSpec(trades, instruments), workers).cpu_s
                for instruments, workers in ((FEW, 1), (MANY, 1), (USUAL, 1), (USUAL, 2))
            }
            busy_s = max(1, trades // BUSY_TRADES_PER_S)
            busy = {
                instruments: _fold(base, TradesSpec(trades, instruments, span_s=busy_s), 1).cpu_s
                for instruments in (FEW, MANY)
            }
            as_many_bars = base.model_copy(update={"intervals": ("1s",)})
            as_many_bars_s = _fold(as_many_bars, TradesSpec(trades, USUAL), 1).cpu_s
    print(json.dumps(_result(trades, quiet, busy, as_many_bars_s)))


def _fold(base: Settings, spec: TradesSpec, count: int) -> Cost:
    name = f"bench-{base.intervals[0]}-{spec.instruments}-{spec.span_s}-{count}"
    settings = base.model_copy(update={"namespace": name})
    topic_admin.apply(settings)
    ids = schema_registry.register_all(settings)
    schema_ids = SchemaIds(ids["livetape.Trade"], ids["livetape.Clock"])
    wanted = iter(list(records(spec, schema_ids, settings.schemas_dir)))  # encoded before the workers are held
    write = partial(produce, settings.kafka_bootstrap, [settings.topic("trades")])
    log = settings.home / f"{settings.namespace}.log"
    with livetape_engine.settled_workers(settings, log, count) as workers:
        commit = partial(livetape_engine.wait_until_committed, settings, workers=workers, log=log)
        write([next(wanted)])  # a clock: once it is committed the workers have recovered, and wait for trades
        commit(livetape_engine.end_offsets(settings))
        with _held(workers):
            write(wanted)
            meters = [CostMeter(worker.pid) for worker in workers]
        commit(livetape_engine.end_offsets(settings))
        costs = [meter.read() for meter in meters]
    total = Cost(max(cost.wall_s for cost in costs), sum(cost.cpu_s for cost in costs))
    print(
        f"{spec.trades:,} trades of {spec.span_s} s, {spec.instruments:,} instruments, {settings.intervals[0]}, "
        f"{count} workers: {total.wall_s:.2f} s, {total.cpu_s:.2f} s of CPU",
        flush=True,
    )
    return total


@contextmanager
def _held(workers: list[livetape_engine.Worker]) -> Iterator[None]:
    """Stop the workers, and let them go on after the block.

    Raises:
        RuntimeError: the block took so long that the broker has given the workers up.
    """
    began_s = time.monotonic()
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGCONT)
    if time.monotonic() - began_s > HELD_MS / 1_000:
        raise RuntimeError("the workers were held for too long: this machine is too slow for so many trades")


def _result(
    trades: int, quiet: dict[tuple[int, int], float], busy: dict[int, float], as_many_bars_s: float
) -> dict[str, float]:
    def ns(cpu_s: float) -> float:
        return round(cpu_s / trades * SECOND_NS, 1)

    return {
        "trades": trades,
        **{f"cpu_ns_per_trade_{count}": ns(quiet[count, 1]) for count in (FEW, USUAL, MANY)},
        "growth": round(quiet[MANY, 1] / quiet[FEW, 1], 2),
        **{f"busy_cpu_ns_per_trade_{count}": ns(busy[count]) for count in (FEW, MANY)},
        "busy_growth": round(busy[MANY] / busy[FEW], 2),
        "as_many_bars_cpu_ns_per_trade": ns(as_many_bars_s),
        "growth_at_as_many_bars": round(quiet[MANY, 1] / as_many_bars_s, 2),
        "one_worker_per_cpu_s": round(trades / quiet[USUAL, 1]),
        "two_workers_per_cpu_s": round(trades / quiet[USUAL, 2]),
        "two_to_one": round(quiet[USUAL, 1] / quiet[USUAL, 2], 2),
    }


if __name__ == "__main__":
    typer.run(main)
