"""Kafka Streams on the topic of a benchmark: started, timed, and its bars read back."""

import struct
import subprocess
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from app.settings import SECOND_NS
from app.topics import duration_ns
from bench.bars import BarKey, BarValues, Decoder
from bench.processes import Cost, CostMeter
from bench.trades_topic import PRICE_PLACES, SIZE_PLACES, VENUE

_PROJECT = Path(__file__).parent / "kafka_streams"
_BAR = struct.Struct(">9q")
_WINDOW_START = struct.Struct(">q")

# What a user who wants throughput sets: large fetches and batches, lz4, a cache that holds all open windows, and the
# collector that costs the least CPU. The commit interval is a second where the default is thirty: the outputs of both
# engines are to be seen while they run.
_STREAMS_SETTINGS = {
    "num.stream.threads": "1",
    "commit.interval.ms": "1000",
    "statestore.cache.max.bytes": str(256 * 1024 * 1024),
    "consumer.auto.offset.reset": "earliest",
    "consumer.max.poll.records": "20000",
    "consumer.max.partition.fetch.bytes": str(4 * 1024 * 1024),
    "consumer.fetch.max.bytes": str(64 * 1024 * 1024),
    "producer.linger.ms": "100",
    "producer.batch.size": str(512 * 1024),
    "producer.compression.type": "lz4",
    "replication.factor": "1",
}
_JVM_SETTINGS = ("-Xms2g", "-Xmx2g", "-XX:+UseParallelGC")


@dataclass(frozen=True)
class StreamsJob:
    """Where the engine reads and writes; `state_dir` is its own and is deleted by the caller.

    `output_topic` is the first part of the outputs' names: see `output_of`. `guarantee` is `at_least_once` or
    `exactly_once_v2`.
    """

    bootstrap: str
    guarantee: str
    intervals: tuple[str, ...]
    application_id: str
    input_topic: str
    output_topic: str
    trades: int
    trade_schema_id: int
    state_dir: Path


def output_of(job: StreamsJob, interval: str) -> str:
    """The topic of an interval's bars."""
    return f"{job.output_topic}-{duration_ns(interval) // SECOND_NS}"


def build() -> None:
    """Compile the engine; raises CalledProcessError with Maven's own words on standard error."""
    subprocess.run(["mvn", "-q", "-B", "package"], cwd=_PROJECT, check=True)


def run(job: StreamsJob, java: Path) -> Cost:
    """What the engine spent from running to having aggregated all trades; returns when its outputs are flushed."""
    job.state_dir.mkdir(parents=True)
    settings = job.state_dir / "streams.properties"
    settings.write_text("".join(f"{name}={value}\n" for name, value in _settings(job).items()))
    classpath = f"{_PROJECT}/target/bench-kafka-streams-1.jar:{_PROJECT}/target/lib/*"
    command = [str(java), *_JVM_SETTINGS, "-cp", classpath, "livetape.bench.WindowBars", str(settings)]
    with (
        (job.state_dir / "engine.log").open("w") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        _expect(process, "RUNNING", log.name)
        meter = CostMeter(process.pid)
        _expect(process, "DONE", log.name)
        return meter.read()


def _expect(process: subprocess.Popen[str], line: str, log: str) -> None:
    if process.stdout is None or process.stdout.readline().strip() != line:
        raise RuntimeError(f"Kafka Streams ended before it said {line}: see {log}")


def _settings(job: StreamsJob) -> dict[str, str]:
    return _STREAMS_SETTINGS | {
        "application.id": job.application_id,
        "processing.guarantee": job.guarantee,
        "bootstrap.servers": job.bootstrap,
        "state.dir": str(job.state_dir / "state"),
        "bench.input": job.input_topic,
        "bench.output": job.output_topic,
        "bench.seconds": ",".join(str(duration_ns(interval) // SECOND_NS) for interval in job.intervals),
        "bench.trades": str(job.trades),
        "bench.trade.schema.id": str(job.trade_schema_id),
    }


def decoder(interval: str) -> Decoder:
    """Reads a record of an interval's output: the key's last 8 bytes are the start in ms, the value is Bar.java's."""

    def decode(key: bytes, value: bytes) -> tuple[BarKey, BarValues]:
        instrument = key[: -_WINDOW_START.size].decode().removeprefix(f"{VENUE}:")
        (start_ms,) = _WINDOW_START.unpack(key[-_WINDOW_START.size :])
        _, _, open_, high, low, close, volume, notional, trade_count = _BAR.unpack(value)
        values = BarValues(
            open=_scaled(open_, PRICE_PLACES),
            high=_scaled(high, PRICE_PLACES),
            low=_scaled(low, PRICE_PLACES),
            close=_scaled(close, PRICE_PLACES),
            volume=_scaled(volume, SIZE_PLACES),
            notional=_scaled(notional, PRICE_PLACES + SIZE_PLACES),
            trade_count=trade_count,
        )
        return BarKey(interval, instrument, start_ms * 1_000_000), values

    return decode


def _scaled(units: int, places: int) -> Decimal:
    return Decimal(units).scaleb(-places)
