"""`make bench-stream`: one-minute bars of a topic of trades by livetape and by Kafka Streams, compared bar by bar.

Each engine reads the same topic from its start, one after the other, on a broker of the benchmark's own. CPU is user
plus system of the engine's process; the broker's is not counted. The last line is one JSON object.
"""

import json
import platform
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka.admin import AdminClient, NewTopic

from app import schema_registry, topic_admin
from app.settings import Settings
from bench import kafka_streams_engine, livetape_engine
from bench.bars import differences, read_bars
from bench.kafka_streams_engine import StreamsJob
from bench.processes import Cost
from bench.trades_topic import SchemaIds, TradesSpec, produce_trades
from local import stack
from local.java import java

_OUTPUT = "kafka-streams.bars"


def main(trades: Annotated[int, typer.Option(min=1, help="Trades in the topic.")] = 5_000_000) -> None:
    """Run both engines on one topic and print what each of them did."""
    kafka_streams_engine.build()
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        home = Path(folder)
        settings = stack.on_free_ports(Settings(namespace="bench", intervals=("1m",)), home)
        with stack.running(settings):
            result = _compare(settings, TradesSpec(trades), home)
    print(json.dumps(result))


def _compare(settings: Settings, spec: TradesSpec, home: Path) -> dict[str, object]:
    topic_admin.apply(settings)
    _create_output(settings, spec.partitions)
    ids = schema_registry.register_all(settings)
    _say(f"{platform.processor() or platform.machine()}: writing {spec.trades:,} trades")
    produce_trades(
        settings.kafka_bootstrap,
        settings.topic("trades"),
        spec,
        SchemaIds(ids["livetape.Trade"], ids["livetape.Clock"]),
        settings.schemas_dir,
    )
    theirs = kafka_streams_engine.run(_streams_job(settings, spec, ids["livetape.Trade"], home / "streams"), java())
    _say_cost("Kafka Streams 4.3.1, 1 thread, at least once", spec, theirs)
    ours = livetape_engine.run(settings, home / "worker.log")
    _say_cost("livetape, 1 worker, exactly once", spec, ours)
    bars = read_bars(settings.kafka_bootstrap, settings.topic("bars"), livetape_engine.decoder(settings.schemas_dir))
    wrong = differences(bars, read_bars(settings.kafka_bootstrap, settings.topic(_OUTPUT), kafka_streams_engine.decode))
    for line in wrong[:10]:
        _say(f"differs: {line}")
    return {
        "trades": spec.trades,
        "bars": len(bars),
        **_rates("livetape", spec, ours),
        **_rates("kafka_streams", spec, theirs),
        "equal": bool(bars) and not wrong,
    }


def _streams_job(settings: Settings, spec: TradesSpec, trade_schema_id: int, state_dir: Path) -> StreamsJob:
    return StreamsJob(
        bootstrap=settings.kafka_bootstrap,
        application_id="bench-kafka-streams",
        input_topic=settings.topic("trades"),
        output_topic=settings.topic(_OUTPUT),
        trades=spec.trades,
        trade_schema_id=trade_schema_id,
        state_dir=state_dir,
    )


def _create_output(settings: Settings, partitions: int) -> None:
    # Kafka Streams stamps its bars with their event time, which is long ago: retention would delete them at once.
    topic = NewTopic(
        settings.topic(_OUTPUT), num_partitions=partitions, replication_factor=1, config={"retention.ms": "-1"}
    )
    admin = AdminClient(settings.kafka_config)  # kept until the answer is there: its end would end the request too
    admin.create_topics([topic])[topic.topic].result()


def _rates(engine: str, spec: TradesSpec, cost: Cost) -> dict[str, int]:
    return {
        f"{engine}_per_s": round(spec.trades / cost.wall_s),
        f"{engine}_per_cpu_s": round(spec.trades / cost.cpu_s),
    }


def _say_cost(engine: str, spec: TradesSpec, cost: Cost) -> None:
    _say(f"{engine}: {spec.trades:,} trades in {cost.wall_s:.2f} s, {cost.cpu_s:.2f} s of CPU")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    typer.run(main)
