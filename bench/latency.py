"""`make bench-latency`: how long after a trade was produced the update of its bar is consumed from `bars.live`.

At each pace, in the same run, beside its floor: the same bytes through two bare librdkafka hops (produce, consume,
produce, consume). Sender, worker or relay, and receiver are processes of their own; the broker is the benchmark's. The
last line is one JSON object, times in milliseconds.
"""

import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Annotated, Final

import typer
from confluent_kafka.admin import AdminClient, NewTopic

from app import schema_registry, topic_admin
from app.settings import Settings
from app.units import SECOND_NS
from bench import paced_flow
from bench.flow_times import TradeKey, first_covering, percentiles
from bench.livetape_engine import settled_workers
from bench.trades_topic import SchemaIds, TradesSpec
from local import stack

WARM_UP_S: Final = 3
PREPARE_NS: Final = 3 * SECOND_NS
PREPARE_NS_PER_TRADE: Final = 40_000
DRAIN_S: Final = 2.0
READY_S: Final = 60.0


def main(
    rates: Annotated[str, typer.Option(help="Trades a second, comma-separated.")] = "1000,10000,100000",
    seconds: Annotated[int, typer.Option(min=1, help="How long to measure each, after the warm-up.")] = 15,
    instruments: Annotated[int, typer.Option(min=1, help="Instruments, by Zipf.")] = 1_000,
) -> None:
    """Measure every rate on this machine."""
    result: dict[str, float | int | None] = {}
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        base = stack.on_free_ports(Settings(), Path(folder))
        with stack.running(base):
            for rate in (int(rate) for rate in rates.split(",")):
                spec = TradesSpec(rate * (WARM_UP_S + seconds), instruments, span_s=WARM_UP_S + seconds)
                result |= _measure(base, rate, spec)
    print(json.dumps(result))


def _measure(base: Settings, rate: int, spec: TradesSpec) -> dict[str, float | int | None]:
    settings = base.model_copy(update={"namespace": f"bench-{rate}"})
    topic_admin.apply(settings)
    ids = schema_registry.register_all(settings)
    schema_ids = SchemaIds(ids["livetape.Trade"], ids["livetape.Clock"])
    hops = [settings.topic("hop.1"), settings.topic("hop.2")]
    _create(settings, hops, spec.partitions)
    flows: dict[str, tuple[str, str, AbstractContextManager[object]]] = {
        "floor_": (hops[0], hops[1], _relay(settings, hops[0], hops[1])),
        "": (
            settings.topic("trades"),
            settings.topic("bars.live"),
            settled_workers(settings, base.home / f"worker-{rate}.log"),
        ),
    }
    name = f"{rate // 1_000}k" if rate % 1_000 == 0 else str(rate)
    result: dict[str, float | int | None] = {}
    for prefix, (source, target, processor) in flows.items():
        with processor:
            sent, heard = _run(settings, source, target, spec, schema_ids)
        found = percentiles("flow", sent, first_covering(heard, sent))
        print(f"{rate:,}/s, {prefix or 'livetape'}: {len(sent):,} trades sent, {found}", flush=True)
        result |= {
            f"{prefix}p50_ms_{name}": found["flow_p50_ms"],
            f"{prefix}p99_ms_{name}": found["flow_p99_ms"],
            f"{prefix}unheard_{name}": len(sent) - int(found["flow_trades"] or 0),
        }
    return result


def _create(settings: Settings, names: list[str], partitions: int) -> None:
    admin = AdminClient(settings.kafka_config)
    topics = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
    for created in admin.create_topics(topics).values():
        created.result()


@contextmanager
def _relay(settings: Settings, source: str, target: str) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    process = context.Process(target=paced_flow.relay, args=(settings, source, target, ready, stop))
    process.start()
    try:
        if not ready.wait(READY_S):
            raise RuntimeError("the relay did not become ready")
        yield
    finally:
        stop.set()
        process.join()


def _run(
    settings: Settings, source: str, target: str, spec: TradesSpec, ids: SchemaIds
) -> tuple[dict[TradeKey, int], list[paced_flow.Covered]]:
    """When each trade after the warm-up was sent, and what was heard at the other end."""
    context = multiprocessing.get_context("spawn")
    with _receiver(context, settings, target) as (stop, heard):
        start_ns = time.time_ns() + PREPARE_NS + spec.trades * PREPARE_NS_PER_TRADE
        ours, theirs = context.Pipe(duplex=False)
        planned = replace(spec, start_ns=start_ns)
        sender = context.Process(target=paced_flow.send, args=(settings, source, planned, ids, theirs))
        sender.start()
        theirs.close()  # so that a sender that fails ends the wait
        sent: dict[TradeKey, int] = ours.recv()
        sender.join()
        time.sleep(DRAIN_S)
        stop.set()
        covered: list[paced_flow.Covered] = heard.recv()
    first_ns = start_ns + WARM_UP_S * SECOND_NS
    return {key: sent_ns for key, sent_ns in sent.items() if sent_ns >= first_ns}, covered


@contextmanager
def _receiver(context: SpawnContext, settings: Settings, topic: str) -> Iterator[tuple[Event, Connection]]:
    ready, stop = context.Event(), context.Event()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=paced_flow.receive, args=(settings, topic, ready, stop, theirs))
    process.start()
    theirs.close()
    try:
        if not ready.wait(READY_S):
            raise RuntimeError("the receiver did not become ready")
        yield stop, ours
    finally:
        stop.set()
        process.join()


if __name__ == "__main__":
    typer.run(main)
