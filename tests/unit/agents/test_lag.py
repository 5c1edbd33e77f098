"""What the lag of a partition is where a log is of transactions, or the registry does not answer."""

import math
from collections.abc import Mapping

import pytest
from confluent_kafka import KafkaError, TopicPartition
from faust.types import TP

from agents import lag
from agents.lag import Lag, LagMeter
from app.schema_lookup import RegistryAway
from app.settings import Settings
from tests.unit.agents.kernel.partition_kit import CLOCK_ID, a_clock, schema_text, value_of, wire

ONE, TWO = TP("bars", 0), TP("bars", 1)
NEW_ID = 99
FETCHED = 20
BARS = {offset: value_of(a_clock(offset, offset)) for offset in range(0, 200, 3)}
"""Of transactions of one record: what is between them is never handed over."""


class Message:
    """A record as librdkafka hands it over, or in its place that the log ends there."""

    def __init__(self, offset: int, value: bytes | None) -> None:
        self._offset = offset
        self._value = value

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes | None:
        return self._value

    def error(self) -> KafkaError | None:
        return None if self._value else KafkaError(KafkaError._PARTITION_EOF)


class Logs:
    """A consumer of partitions that end at an offset, with these records."""

    def __init__(self, end: int, records: Mapping[TP, Mapping[int, bytes]]) -> None:
        self._end = end
        self._records = records
        self._coming: list[Message] = []
        self.waits = 0

    def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
        return 0, self._end

    def assign(self, partitions: list[TopicPartition]) -> None:
        (at,) = partitions
        records = self._records[TP(at.topic, at.partition)]
        coming = [Message(offset, value) for offset, value in records.items() if offset >= at.offset]
        self._coming = [*coming, Message(self._end, None)]

    def unassign(self) -> None:
        self._coming = []

    def consume(self, count: int, timeout_s: float) -> list[Message]:
        """As librdkafka: so many as are asked for, or fewer once the time is over."""
        room = count if timeout_s else min(count, FETCHED)
        taken, self._coming = self._coming[:room], self._coming[room:]
        self.waits += timeout_s > 0 and len(taken) < count
        return taken


class Registry:
    """Knows a clock's schema by these ids; whatever else it is asked, it does not answer."""

    def __init__(self, *ids: int) -> None:
        self.ids = set(ids)
        self.asked: list[int] = []

    def __call__(self, schema_id: int) -> str:
        self.asked.append(schema_id)
        if schema_id not in self.ids:
            raise RegistryAway("nobody is there")
        return schema_text("clock")


def meter_of(monkeypatch: pytest.MonkeyPatch, logs: Logs, registry: Registry) -> LagMeter:
    monkeypatch.setattr("app.log_reader.Consumer", lambda _config: logs)
    monkeypatch.setattr(lag, "RegistrySchemas", lambda _settings: registry)
    return LagMeter(Settings())


def test_a_log_that_ends_with_markers_of_transactions_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = Logs(200, {ONE: BARS})
    assert meter_of(monkeypatch, logs, Registry(CLOCK_ID)).measure({ONE: 100}) == {ONE: Lag(100, 99.0)}
    assert logs.waits == 0


def test_while_the_registry_is_away_it_is_asked_once_a_round_and_records_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = Registry()
    meter = meter_of(monkeypatch, Logs(200, {ONE: BARS, TWO: BARS}), registry)
    for _ in range(2):
        lags = meter.measure({ONE: 100, TWO: 150})
        assert {tp: each.records for tp, each in lags.items()} == {ONE: 100, TWO: 50}
        assert all(math.isnan(each.seconds) for each in lags.values())
    assert registry.asked == [CLOCK_ID] * 2
    registry.ids.add(CLOCK_ID)
    assert meter.measure({ONE: 100, TWO: 150}) == {ONE: Lag(100, 99.0), TWO: Lag(50, 51.0)}


def test_a_new_schema_in_one_partition_takes_the_seconds_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    new = {offset: wire(NEW_ID, value[5:]) for offset, value in BARS.items()}
    meter = meter_of(monkeypatch, Logs(200, {ONE: BARS, TWO: new}), Registry(CLOCK_ID))
    assert meter.measure({ONE: 100}) == {ONE: Lag(100, 99.0)}
    lags = meter.measure({TWO: 100, ONE: 101})
    assert lags[ONE] == Lag(99, 99.0)
    assert lags[TWO].records == 100
    assert math.isnan(lags[TWO].seconds)
