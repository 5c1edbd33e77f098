"""What the view has read of each topic, and how far behind it is."""

import time
from collections import Counter
from collections.abc import Iterable
from functools import partial

from confluent_kafka import Message

from app.metrics import Metrics
from app.status import State, Status
from app.units import MILLISECOND_NS


class Meter:
    """Counts the records that are read, and measures by the newest of each topic how far the view is behind.

    A view that is ready reads at once what comes, and lacks nothing of a topic that rests, whatever it read there.
    One that is not may lack all that was appended since.
    """

    def __init__(self, metrics: Metrics, status: Status) -> None:
        self._metrics = metrics
        self._status = status

    def read(self, records: Iterable[tuple[str, Message]]) -> None:
        """Say that records were read, each of a topic named without namespace, in their order."""
        records = list(records)
        for topic, count in Counter(topic for topic, _ in records).items():
            self._metrics.records.labels(topic).inc(count)
        read_ns = time.time_ns()
        for topic, newest in dict(records).items():
            appended_ns = newest.timestamp()[1] * MILLISECOND_NS
            self._metrics.view_lag.labels(topic).set_function(partial(self._lag_ns, appended_ns, read_ns))

    def _lag_ns(self, appended_ns: int, read_ns: int) -> int:
        standing = self._status.now
        if standing.state is not State.READY:
            return time.time_ns() - max(appended_ns, standing.since_ns)
        return read_ns - appended_ns if read_ns >= standing.since_ns else 0
