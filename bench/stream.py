"""`make bench-stream`: bars of a topic of trades by livetape and by its peers, compared bar by bar.

Scenario A makes bars of one minute, scenario B of 1 s, 1 m, 5 m and 1 h. Kafka Streams (at least once, and exactly once
v2), Flink and livetape read the same topic from its start, one after the other, on a broker of the benchmark's own.
Quix Streams, stock Faust and livetape read a topic of fewer trades, as many a second of event time; there livetape's
bars are compared with a recomputation as well. CPU is user plus system of the engine's process; the broker's is not
counted. The last line is one JSON object.
"""

import json
import platform
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app import schema_registry, topic_admin
from app.intervals import duration_ns
from app.settings import Settings
from app.units import MILLISECOND_NS
from bench import jvm_engines, livetape_engine, output_topics, python_engines
from bench.bars import BarKey, BarValues, committed_records, differences, read_bars
from bench.processes import Cost
from bench.python_trades import PeerJob
from bench.recomputed_bars import recompute
from bench.trades_topic import SchemaIds, TradesSpec, produce_trades
from local import stack
from local.java import java

SCENARIOS: Final = {"A": ("1m",), "B": ("1s", "1m", "5m", "1h")}
JVM_ENGINES: Final = {
    "kafka_streams": jvm_engines.KAFKA_STREAMS,
    "kafka_streams_eos": jvm_engines.KAFKA_STREAMS_EOS,
    "flink": jvm_engines.FLINK,
}
PYTHON_ENGINES: Final = {"quix": python_engines.QUIX, "faust": python_engines.FAUST}
TRADES_PER_S: Final = 2_778
"""Of event time, in the slice as in the whole topic of 5 M: so many trades make a bar."""


def main(
    trades: Annotated[int, typer.Option(min=1, help="Trades in the topic.")] = 5_000_000,
    instruments: Annotated[int, typer.Option(min=1, help="Instruments, by Zipf.")] = 1_000,
    scenario: Annotated[str, typer.Option(help="A, B or AB.")] = "AB",
    few: Annotated[int, typer.Option("--slice", min=1, help="Trades for Quix Streams and Faust.")] = 100_000,
) -> None:
    """Run every engine by both scenarios, and print what each of them did."""
    jvm_engines.build()
    python_engines.build()
    spec = TradesSpec(trades, instruments)
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        base = stack.on_free_ports(Settings(), Path(folder))
        with stack.running(base):
            scenarios = {
                name: base.model_copy(update={"namespace": f"bench-{name.lower()}", "intervals": intervals})
                for name, intervals in SCENARIOS.items()
                if name in scenario
            }
            ids = _write_topics(list(scenarios.values()), spec)
            results = {name: _compare(name, settings, spec, ids.trade) for name, settings in scenarios.items()}
            slice_spec = TradesSpec(few, instruments, span_s=max(1, few // TRADES_PER_S))
            for name, settings in scenarios.items():
                results[name] |= _compare_slice(name, settings, slice_spec, ids, equal=results[name]["equal"])
    print(json.dumps({"trades": trades, **results.get("A", {}), **results}))


def _write_topics(scenarios: list[Settings], spec: TradesSpec) -> SchemaIds:
    """The same trades for each scenario, whose worker has topics and state of its own."""
    for settings in scenarios:
        topic_admin.apply(settings)
    ids = schema_registry.register_all(scenarios[0])
    schema_ids = SchemaIds(ids["livetape.Trade"], ids["livetape.Clock"])
    _say(f"{platform.processor() or platform.machine()}: writing {spec.trades:,} trades")
    topics = [settings.topic("trades") for settings in scenarios]
    produce_trades(scenarios[0].kafka_bootstrap, topics, spec, schema_ids, scenarios[0].schemas_dir)
    return schema_ids


def _compare(scenario: str, settings: Settings, spec: TradesSpec, trade_schema_id: int) -> dict[str, Any]:
    """What livetape and each peer did in one scenario, and whether all their bars are equal."""
    _read_through(settings)
    ours = livetape_engine.run(settings, settings.home / f"worker-{scenario}.log")
    _say_cost(scenario, "livetape, 1 worker, exactly once", spec, ours)
    bars = livetape_engine.bars(settings)
    rates = _rates("livetape", spec, ours)
    equal = bool(bars)
    for key, engine in JVM_ENGINES.items():
        job = _job(key, settings, spec, trade_schema_id)
        cost = jvm_engines.run(engine, job, java())
        _say_cost(scenario, engine.name, spec, cost)
        rates |= _rates(key, spec, cost)
        equal &= _is_equal(engine.name, bars, _peer_bars(job))
    return {"bars": len(bars), **rates, "equal": equal}


def _read_through(settings: Settings) -> None:
    """Have the broker serve the topic once, so that it is as warm for the first engine as for the others."""
    for _ in committed_records(settings.kafka_bootstrap, settings.topic("trades")):
        pass


def _job(key: str, settings: Settings, spec: TradesSpec, trade_schema_id: int) -> jvm_engines.Job:
    job = jvm_engines.Job(
        bootstrap=settings.kafka_bootstrap,
        application_id=f"{settings.namespace}.{key}",
        input_topic=settings.topic("trades"),
        outputs={interval: settings.topic(f"{key}.{interval}") for interval in settings.intervals},
        trades=spec.trades,
        trade_schema_id=trade_schema_id,
        state_dir=settings.home / settings.namespace / key,
    )
    output_topics.create(settings, list(job.outputs.values()), spec.partitions)
    return job


def _compare_slice(
    scenario: str, settings: Settings, spec: TradesSpec, ids: SchemaIds, *, equal: bool
) -> dict[str, Any]:
    """What the Python peers did; `equal` is false when it was, or bars differ: ours from a recomputation, or theirs."""
    few = settings.model_copy(update={"namespace": f"{settings.namespace}-slice"})
    topic_admin.apply(few)
    produce_trades(few.kafka_bootstrap, [few.topic("trades")], spec, ids, few.schemas_dir)
    livetape_engine.run(few, few.home / f"worker-{scenario}-slice.log")
    ours = livetape_engine.bars(few)
    equal &= _is_equal("a recomputation", ours, recompute(spec, few.intervals, few.schemas_dir))
    rates: dict[str, int] = {}
    for key, engine in PYTHON_ENGINES.items():
        outputs = {interval: few.topic(f"{key}.{interval}") for interval in few.intervals}
        job = _peer_job(key, few, spec, ids.trade, outputs)
        topics = {interval: engine.topic(job.application_id, output) for interval, output in outputs.items()}
        output_topics.create(few, list(topics.values()), spec.partitions)
        cost = python_engines.run(engine, job)
        _say_cost(scenario, engine.name, spec, cost)
        rates |= _rates(key, spec, cost)
        bars = {
            bar: values
            for interval, topic in topics.items()
            for bar, values in read_bars(job.bootstrap, topic, engine.decoder(interval)).items()
        }
        equal &= _is_equal(engine.name, ours, bars)
    return {**rates, "equal": equal}


def _peer_job(key: str, settings: Settings, spec: TradesSpec, trade_schema_id: int, outputs: dict[str, str]) -> PeerJob:
    return PeerJob(
        bootstrap=settings.kafka_bootstrap,
        application_id=f"{settings.namespace}.{key}",
        input_topic=settings.topic("trades"),
        outputs={str(duration_ns(interval) // MILLISECOND_NS): name for interval, name in outputs.items()},
        trades=spec.trades,
        end_ms=spec.start_ns // MILLISECOND_NS + (spec.span_s + 60) * 1_000,
        trade_schema_id=trade_schema_id,
        schemas_dir=str(settings.schemas_dir),
        state_dir=str(settings.home / settings.namespace / key),
    )


def _peer_bars(job: jvm_engines.Job) -> dict[BarKey, BarValues]:
    return {
        key: values
        for interval, topic in job.outputs.items()
        for key, values in read_bars(job.bootstrap, topic, jvm_engines.decoder(interval)).items()
    }


def _is_equal(engine: str, ours: dict[BarKey, BarValues], theirs: dict[BarKey, BarValues]) -> bool:
    wrong = differences(ours, theirs)
    for line in wrong[:10]:
        _say(f"{engine} differs: {line}")
    return not wrong


def _rates(engine: str, spec: TradesSpec, cost: Cost) -> dict[str, int]:
    return {
        f"{engine}_per_s": round(spec.trades / cost.wall_s),
        f"{engine}_per_cpu_s": round(spec.trades / cost.cpu_s),
    }


def _say_cost(scenario: str, engine: str, spec: TradesSpec, cost: Cost) -> None:
    _say(f"{scenario}: {engine}: {spec.trades:,} trades in {cost.wall_s:.2f} s, {cost.cpu_s:.2f} s of CPU")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    typer.run(main)
