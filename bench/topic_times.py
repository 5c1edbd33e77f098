"""When the broker appended what a run wrote: read after the run, so that reading costs the run nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from app.records import RecordReader
from app.schema_lookup import RegistrySchemas
from app.settings import Settings
from app.units import MILLISECOND_NS
from bench.flow_times import TradeKey

TIMEOUT_S = 30.0
POLL_S = 0.2


def appended_trades(settings: Settings) -> dict[TradeKey, int]:
    """When each trade was appended to `trades`, in ns since 1970, of a millisecond's resolution."""
    return {
        (fields["instrument"], int(fields["trade_id"])): appended_ns
        for appended_ns, name, fields in _records(settings, "trades")
        if name == "livetape.Trade"
    }


def appended_bars(settings: Settings, interval: str) -> list[tuple[str, int, int]]:
    """Each forming bar of an interval: instrument, last trade id, and when it was appended to `bars.live`."""
    return [
        (fields["instrument"], int(bar["last_trade_id"]), appended_ns)
        for appended_ns, _, fields in _records(settings, "bars.live")
        for bar in fields["bars"]
        if bar["interval"] == interval
    ]


def _records(settings: Settings, topic: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    reader = RecordReader(settings.schemas_dir, RegistrySchemas(settings))
    for message in _messages(settings, settings.topic(topic)):
        yield (message.timestamp()[1] * MILLISECOND_NS, *reader.read(message.value()))


def _messages(settings: Settings, topic: str) -> Iterator[Message]:
    consumer = Consumer({**settings.kafka_config, "group.id": "bench-times", "enable.partition.eof": True})
    try:
        partitions = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        unfinished = set(partitions)
        while unfinished:
            for message in consumer.consume(1_000, POLL_S):
                if message.error() is None:
                    yield message
                else:
                    unfinished.discard(message.partition())
    finally:
        consumer.close()
