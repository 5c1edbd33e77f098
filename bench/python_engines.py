"""The Python peers: set up; Quix Streams and stock Faust on a slice of a benchmark's trades, timed, their bars read."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.settings import PROJECT
from app.units import MILLISECOND_NS
from bench.bars import BarKey, BarValues, Decoder
from bench.jvm_engines import expect, scaled
from bench.processes import Cost, CostMeter
from bench.python_trades import PeerJob
from bench.trades_topic import PRICE_PLACES, SIZE_PLACES, VENUE

_REQUIREMENTS: Final = PROJECT / "requirements" / "bench-peers.txt"
_ENVIRONMENT: Final = PROJECT / "build" / "bench-peers"
_PYTHON: Final = _ENVIRONMENT / "bin" / "python"


@dataclass(frozen=True)
class PythonEngine:
    """One of the engines: its name for people, its module, how its bars are read, and in which topics."""

    name: str
    module: str
    decoder: Callable[[str], Decoder]
    topic: Callable[[str, str], str]
    """The topic of its bars, by application id and the job's name of the output."""


def build() -> None:
    """Install the peers into a Python environment of their own, unless just these are there already."""
    installed = _ENVIRONMENT / "requirements.sha256"
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    if installed.exists() and installed.read_text() == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", _ENVIRONMENT], check=True)
    subprocess.run([_PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", _REQUIREMENTS], check=True)
    installed.write_text(wanted)


def command(module: str) -> list[str | Path]:
    """Runs a module of the benchmarks in that environment, from the project's folder."""
    return [_PYTHON, "-m", module]


def run(engine: PythonEngine, job: PeerJob) -> Cost:
    """What the engine spent from its first trade to its last; returns when its outputs are flushed."""
    state = Path(job.state_dir)
    state.mkdir(parents=True)
    log = state / "engine.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*command(engine.module), json.dumps(asdict(job))],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        expect(process, "RUNNING", log)
        meter = CostMeter(process.pid)
        expect(process, "DONE", log)
        return meter.read()


def _quix_decoder(interval: str) -> Decoder:
    def decode(key: bytes, value: bytes) -> tuple[BarKey, BarValues]:
        window = json.loads(value)
        return _bar(interval, key.decode(), window["start"], window["value"])

    return decode


def _faust_decoder(interval: str) -> Decoder:
    """A record of a table's changelog: key and window (seconds) as the key."""

    def decode(key: bytes, value: bytes) -> tuple[BarKey, BarValues]:
        instrument, (start_s, _) = json.loads(key)
        return _bar(interval, instrument, round(start_s * 1_000), json.loads(value))

    return decode


def _bar(interval: str, key: str, start_ms: int, bar: list[Any]) -> tuple[BarKey, BarValues]:
    _, _, open_, high, low, close, volume, notional, trade_count = bar
    values = BarValues(
        open=scaled(open_, PRICE_PLACES),
        high=scaled(high, PRICE_PLACES),
        low=scaled(low, PRICE_PLACES),
        close=scaled(close, PRICE_PLACES),
        volume=scaled(volume, SIZE_PLACES),
        notional=scaled(notional, PRICE_PLACES + SIZE_PLACES),
        trade_count=trade_count,
    )
    return BarKey(interval, key.removeprefix(f"{VENUE}:"), start_ms * MILLISECOND_NS), values


QUIX: Final = PythonEngine(
    "Quix Streams, at least once", "bench.quix_bars", _quix_decoder, lambda _application, output: output
)
FAUST: Final = PythonEngine(
    "stock Faust, at least once",
    "bench.faust_bars",
    _faust_decoder,
    lambda application, output: f"{application}-{output}-changelog",
)
