"""Kafka Streams and Flink on the topic of a benchmark: built, started, timed, and their bars read back."""

import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from app.intervals import duration_ns
from app.units import MILLISECOND_NS, SECOND_NS
from bench.bars import BarKey, BarValues, Decoder
from bench.processes import Cost, CostMeter
from bench.trades_topic import PRICE_PLACES, SIZE_PLACES, VENUE

_PROJECT: Final = Path(__file__).parent
_BAR: Final = struct.Struct(">9q")
_WINDOW_START: Final = struct.Struct(">q")

# What a user who wants throughput sets, for both engines: large fetches and batches, lz4.
_CONSUMER: Final = {
    "consumer.max.poll.records": "20000",
    "consumer.max.partition.fetch.bytes": str(4 * 1024 * 1024),
    "consumer.fetch.max.bytes": str(64 * 1024 * 1024),
}
_PRODUCER: Final = {
    "producer.linger.ms": "100",
    "producer.batch.size": str(512 * 1024),
    "producer.compression.type": "lz4",
}

# The collector that costs the least CPU, and the doors that Flink's own start script opens.
_JVM_SETTINGS: Final = (
    "-Xms3g",
    "-Xmx3g",
    "-XX:+UseParallelGC",
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "nio", "time", "util", "util.concurrent")),
)


@dataclass(frozen=True)
class Job:
    """What an engine is to do; `state_dir` is its own and is deleted by the caller."""

    bootstrap: str
    application_id: str
    input_topic: str
    outputs: Mapping[str, str]
    """Topic by interval, finest first."""
    trades: int
    trade_schema_id: int
    state_dir: Path
    retention_s: int = 600
    """How long Kafka Streams keeps its bars at the least."""


@dataclass(frozen=True)
class Restored:
    """What Kafka Streams says of a restore."""

    records: int
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class JvmEngine:
    """One of the engines, as it is set up here."""

    name: str
    """In words, for people."""
    folder: str
    main_class: str
    settings: Mapping[str, str]
    state_setting: str
    """The setting that says where state is; a URL when it begins with `execution.`, else a path."""


def _kafka_streams(guarantee: str) -> JvmEngine:
    """A cache that holds all open windows. The commit interval is a second where the default is thirty (or 100 ms with
    exactly once): the outputs of all engines are to be seen while they run."""
    settings = _CONSUMER | _PRODUCER
    settings |= {
        "num.stream.threads": "1",
        "processing.guarantee": guarantee,
        "commit.interval.ms": "1000",
        "statestore.cache.max.bytes": str(512 * 1024 * 1024),
        "consumer.auto.offset.reset": "earliest",
        "replication.factor": "1",
    }
    name = f"Kafka Streams 4.3.1, 1 thread, {guarantee.replace('_', ' ')}"
    return JvmEngine(name, "kafka_streams", "livetape.bench.StreamsBars", settings, "state.dir")


KAFKA_STREAMS: Final = _kafka_streams("at_least_once")
KAFKA_STREAMS_EOS: Final = _kafka_streams("exactly_once_v2")
FLINK: Final = JvmEngine(
    name="Flink 2.1.0, parallelism 1, heap state, a checkpoint each second",
    folder="flink",
    main_class="livetape.bench.FlinkBars",
    settings=_CONSUMER
    | _PRODUCER
    | {
        "parallelism.default": "1",
        "pipeline.object-reuse": "true",
        "state.backend.type": "hashmap",
        "execution.checkpointing.interval": "1s",
        "execution.checkpointing.storage": "filesystem",
    },
    state_setting="execution.checkpointing.dir",
)


def build() -> None:
    """Compile both engines; raises CalledProcessError with Maven's own words on standard error."""
    subprocess.run(["mvn", "-q", "-B", "package"], cwd=_PROJECT, check=True)


def run(engine: JvmEngine, job: Job, java: Path) -> Cost:
    """What the engine spent from running to having aggregated all trades; returns when its outputs are flushed."""
    with _running(engine, job, java) as (process, log):
        expect(process, "RUNNING", log)
        meter = CostMeter(process.pid)
        expect(process, "DONE", log)
        return meter.read()


def restore(engine: JvmEngine, job: Job, java: Path) -> Restored:
    """What Kafka Streams spent on the state of a job that was run before, elsewhere, with the same application id."""
    with _running(engine, job, java) as (process, log):
        said = next_line(process).split()
        expect(process, "RUNNING", log)
    if said[:1] != ["RESTORED"]:
        raise RuntimeError(f"the engine said {said} and not what it restored: {log.read_text()[-3000:]}")
    records, wall_ms, cpu_ms = (int(number) for number in said[1:])
    return Restored(records, wall_ms / 1_000, cpu_ms / 1_000)


@contextmanager
def _running(engine: JvmEngine, job: Job, java: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The engine's process, and where its log is; it ends, with all flushed, after the block."""
    job.state_dir.mkdir(parents=True)
    settings = job.state_dir / "engine.properties"
    settings.write_text("".join(f"{name}={value}\n" for name, value in _settings(engine, job).items()))
    classpath = f"{_PROJECT / engine.folder}/target/*:{_PROJECT / engine.folder}/target/lib/*"
    command = [str(java), *_JVM_SETTINGS, "-cp", classpath, engine.main_class, str(settings)]
    log = job.state_dir / "engine.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        yield process, log


def next_line(process: subprocess.Popen[str]) -> str:
    """What the process says next; nothing when it has ended."""
    return process.stdout.readline().strip() if process.stdout else ""


def expect(process: subprocess.Popen[str], line: str, log: Path) -> None:
    """Wait until the process says `line`.

    Raises:
        RuntimeError: it said something else, and was killed, or it ended; with the last of its log.
    """
    said = next_line(process)
    if said != line:
        process.kill()
        raise RuntimeError(f"the engine said {said!r} and not {line}: {log.read_text()[-3000:]}")


def decoder(interval: str) -> Decoder:
    """Reads a record of an output topic: the key ends in 8 bytes, the window's start in ms; the value is Bar.java's."""

    def decode(key: bytes, value: bytes) -> tuple[BarKey, BarValues]:
        instrument = key[: -_WINDOW_START.size].decode().removeprefix(f"{VENUE}:")
        (start_ms,) = _WINDOW_START.unpack(key[-_WINDOW_START.size :])
        _, _, open_, high, low, close, volume, notional, trade_count = _BAR.unpack(value)
        values = BarValues(
            open=scaled(open_, PRICE_PLACES),
            high=scaled(high, PRICE_PLACES),
            low=scaled(low, PRICE_PLACES),
            close=scaled(close, PRICE_PLACES),
            volume=scaled(volume, SIZE_PLACES),
            notional=scaled(notional, PRICE_PLACES + SIZE_PLACES),
            trade_count=trade_count,
        )
        return BarKey(interval, instrument, start_ms * MILLISECOND_NS), values

    return decode


def scaled(units: int, places: int) -> Decimal:
    """So many units of the last decimal place."""
    return Decimal(units).scaleb(-places)


def _settings(engine: JvmEngine, job: Job) -> dict[str, str]:
    seconds = {interval: str(duration_ns(interval) // SECOND_NS) for interval in job.outputs}
    state = job.state_dir / "state"
    return {
        **engine.settings,
        engine.state_setting: state.as_uri() if engine.state_setting.startswith("execution.") else str(state),
        "application.id": job.application_id,
        "bootstrap.servers": job.bootstrap,
        "bench.bootstrap": job.bootstrap,
        "bench.input": job.input_topic,
        "bench.intervals.s": ",".join(seconds.values()),
        **{f"bench.output.{seconds[interval]}": topic for interval, topic in job.outputs.items()},
        "bench.retention.s": str(job.retention_s),
        "bench.trades": str(job.trades),
        "bench.trade.schema.id": str(job.trade_schema_id),
    }
