"""`make bench-stream`: bars of a topic of trades by livetape and by its peers, compared bar by bar.

Two scenarios: A has one-minute bars, B has those of a second, a minute, five minutes and an hour. Each engine reads the
same topic from its start, one after the other, on a broker of the benchmark's own. CPU is user plus system of the
engine's process; the broker's is not counted. The last line is one JSON object.
"""

import json
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from confluent_kafka.admin import AdminClient, NewTopic

from app import schema_registry, topic_admin
from app.settings import Settings
from bench import kafka_streams_engine, livetape_engine
from bench.bars import BarKey, BarValues, differences, read_bars
from bench.kafka_streams_engine import StreamsJob, output_of
from bench.processes import Cost
from bench.trades_topic import SchemaIds, TradesSpec, produce_trades
from local import stack
from local.java import java

SCENARIOS: Final = {"A": ("1m",), "B": ("1s", "1m", "5m", "1h")}
GUARANTEES: Final = {"kafka_streams": "at_least_once", "kafka_streams_eos": "exactly_once_v2"}


@dataclass(frozen=True)
class Measured:
    """What one engine spent, and its bars."""

    cost: Cost
    bars: dict[BarKey, BarValues]


def main(
    trades: Annotated[int, typer.Option(min=1, help="Trades in the topic.")] = 5_000_000,
    scenario: Annotated[str, typer.Option(help="A, B or AB.")] = "AB",
) -> None:
    """Run all engines on one topic a scenario and print what each of them did."""
    kafka_streams_engine.build()
    results = {}
    for name, intervals in SCENARIOS.items():
        if name not in scenario:
            continue
        with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
            home = Path(folder)
            settings = stack.on_free_ports(Settings(namespace="bench", intervals=intervals), home)
            with stack.running(settings):
                results[name] = _compare(name, settings, TradesSpec(trades), home)
    print(json.dumps({"trades": trades, **results.get("A", {}), **results}))


def _compare(scenario: str, settings: Settings, spec: TradesSpec, home: Path) -> dict[str, object]:
    _say(f"{platform.processor() or platform.machine()}, scenario {scenario}: writing {spec.trades:,} trades")
    topic_admin.apply(settings)
    ids = schema_registry.register_all(settings)
    schema_ids = SchemaIds(ids["livetape.Trade"], ids["livetape.Clock"])
    produce_trades(settings.kafka_bootstrap, settings.topic("trades"), spec, schema_ids, settings.schemas_dir)
    measured = {name: _streams(settings, spec, schema_ids.trade, home, name) for name in GUARANTEES}
    measured["livetape"] = _livetape(settings, home)
    for name, engine in measured.items():
        _say(f"{name}: {spec.trades:,} trades in {engine.cost.wall_s:.2f} s, {engine.cost.cpu_s:.2f} s of CPU")
    ours = measured["livetape"].bars
    wrong = [f"{name}: {line}" for name in GUARANTEES for line in differences(ours, measured[name].bars)]
    for line in wrong[:10]:
        _say(f"differs: {line}")
    rates = {key: rate for name, engine in measured.items() for key, rate in _rates(name, spec, engine.cost).items()}
    return {"bars": len(ours), **rates, "equal": bool(ours) and not wrong}


def _livetape(settings: Settings, home: Path) -> Measured:
    cost = livetape_engine.run(settings, home / "worker.log")
    decode = livetape_engine.decoder(settings.schemas_dir)
    topics = [settings.topic(name) for name in ("bars", "bars.1s")]
    bars: dict[BarKey, BarValues] = {}
    for topic in topics:
        bars |= read_bars(settings.kafka_bootstrap, topic, decode)
    return Measured(cost, bars)


def _streams(settings: Settings, spec: TradesSpec, trade_schema_id: int, home: Path, name: str) -> Measured:
    job = StreamsJob(
        bootstrap=settings.kafka_bootstrap,
        guarantee=GUARANTEES[name],
        intervals=settings.intervals,
        application_id=f"bench-{name}",
        input_topic=settings.topic("trades"),
        output_topic=settings.topic(name),
        trades=spec.trades,
        trade_schema_id=trade_schema_id,
        state_dir=home / name,
    )
    outputs = {interval: output_of(job, interval) for interval in settings.intervals}
    _create(settings, list(outputs.values()), spec.partitions)
    cost = kafka_streams_engine.run(job, java())
    bars: dict[BarKey, BarValues] = {}
    for interval, topic in outputs.items():
        bars |= read_bars(settings.kafka_bootstrap, topic, kafka_streams_engine.decoder(interval))
    return Measured(cost, bars)


def _create(settings: Settings, topics: list[str], partitions: int) -> None:
    # Kafka Streams stamps its bars with their event time, which is long ago: retention would delete them at once.
    kept = {"retention.ms": "-1"}
    admin = AdminClient(settings.kafka_config)  # kept until the answers are there: its end would end the requests too
    made = admin.create_topics([NewTopic(topic, partitions, 1, config=kept) for topic in topics])
    for answer in made.values():
        answer.result()


def _rates(engine: str, spec: TradesSpec, cost: Cost) -> dict[str, int]:
    return {
        f"{engine}_per_s": round(spec.trades / cost.wall_s),
        f"{engine}_per_cpu_s": round(spec.trades / cost.cpu_s),
    }


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    typer.run(main)
