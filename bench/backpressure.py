"""`make bench-backpressure`: what the SQL sink and the fold hold in memory while Postgres is away and trades go on.

A paced producer writes new trades the whole time; Postgres, which is the benchmark's own, is stopped after some seconds
and started again at the end. Memory is the resident set by proc(5), sampled twice a second; more of it than the bound
of docs/operating.md ends the benchmark with exit code 1. The last line is one JSON object.
"""

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Annotated, Final, LiteralString

import fastavro
import psycopg
import typer
from confluent_kafka import Consumer, Producer, TopicPartition

from app import schema_registry, topic_admin
from app.database import conninfo, migrate
from app.settings import Settings
from app.topics import load_topics
from bench.parts import started
from local import stack
from local.postgres import Postgres

SLOT_S: Final = 0.02
SAMPLE_S: Final = 0.5
BACK_S: Final = 60.0
KAFKA_S: Final = 10.0
SINK_MB: Final = 400
FOLD_MB: Final = 400
"""The bounds that docs/operating.md states."""
FIRST_ID: Final = 10_000_000
"""Ids have eight digits, so that a trade is put together from ready pieces."""
ID: Final = "@@@@@@@@"
AMOUNTS: Final = {"price": Decimal("100.25"), "size": Decimal("0.5")}
OFFSETS: Final[LiteralString] = "SELECT coalesce(sum(next_offset), 0)::bigint FROM stream_offset"


def main(
    rate: Annotated[int, typer.Option(min=1_000, help="Trades a second.")] = 100_000,
    seconds: Annotated[int, typer.Option(min=5, help="How long Postgres is away.")] = 600,
    before: Annotated[int, typer.Option(min=5, help="How long it is there at first.")] = 20,
    instruments: Annotated[int, typer.Option(min=1)] = 100,
) -> None:
    """Say how much memory sink and fold had before, and at most while Postgres was away."""
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        settings = stack.on_free_ports(Settings(namespace="bench"), Path(folder))
        with stack.running(settings) as servers:
            topic_admin.apply(settings)
            migrate(settings)
            postgres = next(server for server in servers.servers if isinstance(server, Postgres))
            with _part("sink", settings) as sink, _part("worker", settings) as fold:
                flow = Flow(settings, rate, instruments)
                flow.start()
                with_postgres = _peaks((sink, fold), before)
                postgres.stop()
                began, sent = time.monotonic(), flow.sent
                without = _peaks((sink, fold), seconds)
                trades, took_s = flow.sent - sent, time.monotonic() - began
                behind = _fold_behind(settings)
                flow.stop()
                postgres.launch(detached=False)
                postgres.wait_ready()
                _wait_until_stored_further(settings)
    bounds = {"sink": SINK_MB, "fold": FOLD_MB}
    result: dict[str, object] = {
        "seconds": round(took_s),
        "trades": trades,
        "trades_per_s": round(trades / took_s),
        "fold_behind": behind,
    }
    for (name, bound), was, peak in zip(bounds.items(), with_postgres, without, strict=True):
        result |= {f"{name}_mb_with_postgres": was, f"{name}_mb_without": peak, f"{name}_mb_bound": bound}
    within = all(peak <= bound for bound, peak in zip(bounds.values(), without, strict=True))
    print(json.dumps(result | {"within_bounds": within}))
    if not within:
        raise typer.Exit(1)


class Flow(threading.Thread):
    """New trades of all instruments in turn, `rate` a second; each instrument's ids have no hole."""

    def __init__(self, settings: Settings, rate: int, instruments: int) -> None:
        super().__init__(daemon=True)
        ids = schema_registry.register_all(settings)
        self._header = b"\0" + ids["livetape.Trade"].to_bytes(4, "big")
        self._schema = fastavro.schema.load_schema(str(settings.schemas_dir / "trade.avsc"))
        self._topic = settings.topic("trades")
        self._a_slot = round(rate * SLOT_S)
        self._stopping = threading.Event()
        names = [f"I{number:04d}-USD" for number in range(instruments)]
        self._heads = [(self._pieces(name, 0)[0], f"bench:{name}".encode()) for name in names]
        self._producer = Producer(
            {
                **settings.kafka_config,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        self.sent = 0

    def run(self) -> None:
        """Send until it is stopped."""
        turn = cycle(self._heads)
        instruments = len(self._heads)
        began = time.monotonic()
        slot = 0
        while not self._stopping.is_set():
            rest = self._pieces("any", time.time_ns())[1]
            for _ in range(self._a_slot):
                head, key = next(turn)
                self._send(head + str(FIRST_ID + self.sent // instruments).encode() + rest, key)
                self.sent += 1
            slot += 1
            self._producer.poll(0)
            time.sleep(max(0.0, began + slot * SLOT_S - time.monotonic()))

    def stop(self) -> None:
        """Stop, and wait until all is stored."""
        self._stopping.set()
        self.join()
        self._producer.flush()

    def _send(self, value: bytes, key: bytes) -> None:
        while True:
            try:
                return self._producer.produce(self._topic, value, key)
            except BufferError:
                self._producer.poll(0.1)

    def _pieces(self, instrument: str, time_ns: int) -> tuple[bytes, bytes]:
        """What is before the id of an instrument's trade, and behind the id of any trade of a time."""
        body = BytesIO()
        trade = {"venue": "bench", "instrument": instrument, "trade_id": ID, **AMOUNTS}
        times = {"event_time_ns": time_ns, "receive_time_ns": time_ns, "aggressor": "buy"}
        fastavro.schemaless_writer(body, self._schema, trade | times)
        head, _, rest = body.getvalue().partition(ID.encode())
        return self._header + head, rest


@contextmanager
def _part(command: str, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    with started(settings, command, settings.home / f"{command}.log") as part:
        try:
            yield part
        finally:
            part.kill()


def _peaks(parts: tuple[subprocess.Popen[bytes], ...], seconds: float) -> list[int]:
    """The most memory that each process has had during the next seconds, in MiB."""
    peaks = [0] * len(parts)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        peaks = [max(peak, _resident_mb(part.pid)) for peak, part in zip(peaks, parts, strict=True)]
        time.sleep(SAMPLE_S)
    return peaks


def _resident_mb(pid: int) -> int:
    """VmRSS of proc(5); a process that has ended has none and fails here."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024


def _fold_behind(settings: Settings) -> int:
    """Trades that the fold has not committed yet: one that stands still would hold little, too."""
    topic = settings.topic("trades")
    partitions = load_topics(settings)["trades"].partitions
    consumer = Consumer({**settings.kafka_config, "group.id": f"{settings.namespace}.fold"})
    try:
        consumer.list_topics(topic, KAFKA_S)
        committed = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], KAFKA_S)
        ends = [consumer.get_watermark_offsets(each, KAFKA_S)[1] for each in committed]
    finally:
        consumer.close()
    return sum(end - max(0, each.offset) for end, each in zip(ends, committed, strict=True))


def _wait_until_stored_further(settings: Settings) -> None:
    with psycopg.connect(conninfo(settings), autocommit=True) as connection:

        def offsets() -> int:
            row = connection.execute(OFFSETS).fetchone()
            return 0 if row is None else int(row[0])

        stored, deadline = offsets(), time.monotonic() + BACK_S
        while offsets() <= stored:
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing was stored within {BACK_S:.0f} s after Postgres was back")
            time.sleep(SAMPLE_S)


if __name__ == "__main__":
    typer.run(main)
