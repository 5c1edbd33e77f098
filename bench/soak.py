"""`make bench-soak`: the worker's memory while trades come in for an hour, and what a bar in memory takes.

Trades come at a pace, with the event time of now. The worker keeps every bar that may still be corrected, so its memory
grows until the correction horizon has passed once and is to be flat from then on; a run that is short gets a horizon in
proportion. The last line is one JSON object.
"""

import json
import multiprocessing
import tempfile
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer

from app import schema_registry, topic_admin
from app.settings import Settings
from app.units import SECOND_NS
from bench import livetape_engine, paced_flow
from bench.processes import resident_bytes
from bench.trades_topic import SchemaIds, TradesSpec, instruments_of
from local import stack

LONGEST_HORIZON_S: Final = 900
HORIZONS: Final = 4
"""A run is at least so many correction horizons long."""
FLAT: Final = 1.05
"""Memory is flat when the last quarter of the run has at most so many times that of the quarter before it."""


def main(
    seconds: Annotated[int, typer.Option(min=20, help="How long to run.")] = 3_600,
    rate: Annotated[int, typer.Option(min=1, help="Trades a second.")] = 20_000,
    instruments: Annotated[int, typer.Option(min=1, help="Instruments, by Zipf.")] = 1_000,
) -> None:
    """Let trades come in and watch the worker's memory."""
    horizon_s = min(LONGEST_HORIZON_S, seconds // HORIZONS)
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        wanted = Settings(namespace="bench", intervals=("1s", "1m", "5m", "1h"), horizon_ns=horizon_s * SECOND_NS)
        settings = stack.on_free_ports(wanted, Path(folder))
        with stack.running(settings):
            topic_admin.apply(settings)
            ids = schema_registry.register_all(settings)
            spec = TradesSpec(rate * seconds, instruments, span_s=seconds)
            empty, samples = _run(settings, spec, SchemaIds(ids["livetape.Trade"], ids["livetape.Clock"]))
    print(json.dumps(_result(spec, horizon_s, empty, samples)))


def _run(settings: Settings, spec: TradesSpec, ids: SchemaIds) -> tuple[int, list[int]]:
    """The worker's resident bytes before the first trade, and each second after it."""
    log = settings.home / "worker.log"
    with livetape_engine.settled_workers(settings, log) as (worker,):
        empty = resident_bytes(worker.pid)
        sender = multiprocessing.get_context("spawn").Process(
            target=paced_flow.replay,
            args=(settings, settings.topic("trades"), replace(spec, start_ns=time.time_ns()), ids),
        )
        sender.start()
        samples = _sample(worker.pid, sender)
        if sender.exitcode:
            raise RuntimeError("the sender failed")
        livetape_engine.wait_until_committed(settings, livetape_engine.end_offsets(settings), [worker], log)
    return empty, samples


def _sample(pid: int, sender: BaseProcess) -> list[int]:
    samples = []
    while sender.is_alive():
        sender.join(1.0)
        samples.append(resident_bytes(pid))
        if len(samples) % 60 == 0:
            print(f"after {len(samples)} s: {samples[-1] / 2**20:.0f} MiB", flush=True)
    return samples


def _result(spec: TradesSpec, horizon_s: int, empty: int, samples: list[int]) -> dict[str, float | bool]:
    quarter = len(samples) // 4
    before, last = median(samples[-2 * quarter : -quarter]), median(samples[-quarter:])
    bars = _bars_in_memory(spec, horizon_s)
    return {
        "trades": spec.trades,
        "seconds": len(samples),
        "horizon_s": horizon_s,
        "empty_mib": round(empty / 2**20, 1),
        "third_quarter_mib": round(before / 2**20, 1),
        "last_quarter_mib": round(last / 2**20, 1),
        "base_bars_in_memory": bars,
        "bytes_per_bar": round((last - empty) / bars),
        "flat": last <= before * FLAT,
    }


def _bars_in_memory(spec: TradesSpec, horizon_s: int) -> int:
    """How many one-second bars the last `horizon_s` seconds of trades make."""
    trades_per_s = spec.trades // spec.span_s
    last = instruments_of(TradesSpec(trades_per_s * horizon_s, spec.instruments, seed=spec.seed))
    return len({(number // trades_per_s, instrument) for number, instrument in enumerate(last)})


if __name__ == "__main__":
    typer.run(main)
