"""`make bench-rebalance`: how long partitions stand still when a fold worker joins and when one is killed.

Two workers share a topic of one trade an instrument and second, all within the horizon, so that every bar of a second
is still in memory. Then, some times over, one of them is killed, and started again. Measured by the own metrics of the
worker that stays, from letting its partitions go to each being ready to be folded again: those that it had and has
again, and those that it takes over. The worker that joins tells how long it took to have its partitions ready. All of
that without standbys, and with one of each partition, which is warm before the worker is killed; and what the standbys
cost while the topic is folded. The last line is one JSON object.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from prometheus_client.parser import text_string_to_metric_families

from app import schema_registry, topic_admin
from app.settings import Settings
from app.units import DAY_NS, SECOND_NS
from bench import livetape_engine
from bench.parts import started
from bench.processes import CostMeter, resident_bytes
from bench.trades_topic import one_a_second, produce
from local import ports, stack

HORIZON_NS: Final = DAY_NS
SESSION_MS: Final = 2_000
POLL_S: Final = 0.05
TIMEOUT_S: Final = 300.0
PAUSE: Final = "livetape_fold_pause_seconds"
RECOVERY: Final = "livetape_fold_recovery_seconds"
STANDBY_LAG: Final = "livetape_fold_standby_lag_records"
KEPT: Final = ("kept",)
NOT_KEPT: Final = ("standby", "cold")
SHARE: Final = 2
"""Partitions of each of two workers."""


class Worker:
    """A fold worker as its own process."""

    def __init__(self, settings: Settings, log: Path) -> None:
        (port,) = ports.free_ports(1)
        told = settings.model_copy(update={"worker_metrics_port": port})
        self._url = f"http://127.0.0.1:{port}/metrics"
        self.process = started(told, "worker", log)

    def samples(self, name: str, **labels: str) -> list[float]:
        """A metric's values; none while it does not answer."""
        try:
            text = httpx.get(self._url, timeout=TIMEOUT_S).text
        except httpx.TransportError:
            return []
        families = text_string_to_metric_families(text)
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return [sample.value for sample in samples if labels.items() <= sample.labels.items()]

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait()


@dataclass
class Times:
    """Seconds that a partition stood still, one of each rebalance; and what the workers cost before."""

    kept_when_joined: list[float] = field(default_factory=list)
    moved_when_joined: list[float] = field(default_factory=list)
    kept_when_killed: list[float] = field(default_factory=list)
    taken_over: list[float] = field(default_factory=list)
    cpu_ns_per_trade: float = 0.0
    resident_mib: float = 0.0


def main(
    bars: Annotated[int, typer.Option(min=1, help="Bars of a second in memory, at the least.")] = 1_000_000,
    instruments: Annotated[int, typer.Option(min=1, help="Instruments that they belong to.")] = 1_000,
    runs: Annotated[int, typer.Option(min=1, help="How often a worker is killed.")] = 3,
) -> None:
    """Measure without standbys and with one of each partition, and print what that took."""
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        base = stack.on_free_ports(Settings(horizon_ns=HORIZON_NS, session_timeout_ms=SESSION_MS), Path(folder))
        with stack.running(base):
            results = {}
            for standbys in (0, 1):
                settings = base.model_copy(update={"namespace": f"bench-{standbys}", "standbys": standbys})
                results[standbys] = _measure(settings, instruments, -(-bars // instruments), runs)
    print(json.dumps({"bars": bars, **_named(results[0], "without"), **_named(results[1], "with")}))


def _named(times: Times, name: str) -> dict[str, float]:
    lists = {key: value for key, value in vars(times).items() if isinstance(value, list)}
    return {
        **{f"{key}_s_{name}": round(statistics.median(seconds), 3) for key, seconds in lists.items()},
        f"cpu_ns_per_trade_{name}": round(times.cpu_ns_per_trade, 1),
        f"resident_mib_{name}": round(times.resident_mib, 1),
    }


def _measure(settings: Settings, instruments: int, seconds: int, runs: int) -> Times:
    topic_admin.apply(settings)
    ids = schema_registry.register_all(settings)
    log = settings.home / f"{settings.namespace}.log"
    times = Times()
    with ExitStack() as started:
        staying, other = (_start(settings, log, started) for _ in range(2))
        # The first of them may have had all partitions: the other one has its share only once they are shared.
        _wait(lambda: min(_opened(staying), _opened(other)) >= SHARE, log)
        both = [staying.process, other.process]
        meters = [CostMeter(worker.pid) for worker in both]
        trades = one_a_second(ids["livetape.Trade"], settings.schemas_dir, instruments=instruments, seconds=seconds)
        produce(settings.kafka_bootstrap, [settings.topic("trades")], trades)
        livetape_engine.wait_until_committed(settings, livetape_engine.end_offsets(settings), both, log)
        _wait_until_warm(settings, staying, log)
        times.cpu_ns_per_trade = sum(meter.read().cpu_s for meter in meters) / (instruments * seconds) * SECOND_NS
        times.resident_mib = sum(resident_bytes(worker.pid) for worker in both) / 2**20
        for _ in range(runs):
            kept, taken = Stopwatch(staying, PAUSE, KEPT), Stopwatch(staying, PAUSE, NOT_KEPT)
            other.kill()
            times.kept_when_killed.append(kept.wait(log))
            times.taken_over.append(taken.wait(log))
            _say(f"{settings.standbys} standbys: taken over in {times.taken_over[-1]:.3f} s")
            kept = Stopwatch(staying, PAUSE, KEPT)
            other = _start(settings, log, started)
            moved = Stopwatch(other, RECOVERY, NOT_KEPT)
            times.kept_when_joined.append(kept.wait(log))
            times.moved_when_joined.append(moved.wait(log))
            _wait_until_warm(settings, staying, log)
    return times


def _start(settings: Settings, log: Path, started: ExitStack) -> Worker:
    worker = Worker(settings, log)
    started.callback(worker.kill)
    return worker


def _opened(worker: Worker) -> float:
    return sum(worker.samples(f"{RECOVERY}_count"))


def _wait_until_warm(settings: Settings, worker: Worker, log: Path) -> None:
    """Wait until a worker has taken all that there is to its standbys."""
    if settings.standbys:
        _wait(lambda: worker.samples(STANDBY_LAG) == [0.0] * SHARE, log)


class Stopwatch:
    """What a worker's histogram counts from now on, until it has counted half of the partitions."""

    def __init__(self, worker: Worker, name: str, states: tuple[str, ...]) -> None:
        self._worker = worker
        self._name = name
        self._states = states
        self._before = self._read()

    def wait(self, log: Path) -> float:
        """Mean seconds of a partition."""
        _wait(lambda: self._read()[0] >= self._before[0] + SHARE, log)
        count, seconds = self._read()
        return (seconds - self._before[1]) / (count - self._before[0])

    def _read(self) -> tuple[float, float]:
        counts, sums = (
            [sum(self._worker.samples(f"{self._name}_{part}", state=state)) for state in self._states]
            for part in ("count", "sum")
        )
        return sum(counts), sum(sums)


def _wait(is_done: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"it took more than {TIMEOUT_S:.0f} s: {log.read_text()[-3000:]}")
        time.sleep(POLL_S)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    typer.run(main)
