"""Bars of records, and what becomes of a bad record: it is counted, logged, and has none."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import Message

from app.aggregate_bars import from_record
from app.aggregates import Declared
from app.bars import Bar, KeyedBars, SeriesKey
from app.metrics import Metrics
from app.records import BadRecord

log = logging.getLogger(__name__)


class BarDecoder:
    """Makes bars of records: of a final or revised bar, of an instrument's forming ones, of an aggregate's window.

    `read` gives a value's record name and fields, and raises BadRecord.
    """

    def __init__(
        self,
        read: Callable[[bytes | None], tuple[str, Mapping[str, Any]]],
        aggregates: Iterable[Declared],
        metrics: Metrics,
    ) -> None:
        self._read = read
        self._aggregates = {each.record: each for each in aggregates}
        self._metrics = metrics
        self._keys: dict[tuple[str, str, str, str], SeriesKey] = {}

    def bars(self, topic: str, message: Message) -> KeyedBars:
        """The bars of a record of a topic, which is named without namespace; records of other kinds have none."""
        try:
            return self._bars(*self._read(message.value()))
        except (BadRecord, ValueError, ArithmeticError) as error:  # an amount that nobody can write down
            self._metrics.bad_records.labels(topic).inc()
            log.warning("%s[%s] offset %s: %s", message.topic(), message.partition(), message.offset(), error)
            return []

    def _bars(self, name: str, fields: Mapping[str, Any]) -> KeyedBars:
        if name == "livetape.Live":
            return [(self._key(fields, bar), Bar.forming(fields, bar)) for bar in fields["bars"]]
        if name == "livetape.Bar":
            return [(self._key(fields, fields), Bar.committed(fields))]
        if (aggregate := self._aggregates.get(name)) is not None:
            return [(self._key(fields, fields, aggregate.topic), from_record(aggregate, fields))]
        return []

    def _key(self, instrument: Mapping[str, Any], bar: Mapping[str, Any], channel: str = "bars") -> SeriesKey:
        names = (instrument["venue"], instrument["instrument"], bar["interval"], channel)
        return self._keys.get(names) or self._keys.setdefault(names, SeriesKey(*names))
