"""How far behind the view is said to be."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.bar_feed.meter import Meter
from app.metrics import Metrics
from app.status import State, Status
from app.units import MILLISECOND_NS


class Clock:
    """A clock in the test's hand, for all that measures."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = 0
        stopped = SimpleNamespace(time_ns=lambda: self.now_ms * MILLISECOND_NS)
        for module in ("app.bar_feed.meter", "app.status"):
            monkeypatch.setattr(f"{module}.time", stopped)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def appended(at_ms: int) -> Any:
    return SimpleNamespace(timestamp=lambda: (2, at_ms))


def lag_ms(metrics: Metrics, topic: str = "bars") -> float:
    lag_ns = metrics.registry.get_sample_value("livetape_view_lag_ns", {"topic": topic})
    assert lag_ns is not None
    return lag_ns / MILLISECOND_NS


def test_a_view_that_stands_still_falls_behind_and_one_on_a_quiet_topic_does_not(clock: Clock) -> None:
    metrics, status = Metrics(), Status()
    meter = Meter(metrics, status)
    clock.now_ms = 1_000
    meter.read([("bars", appended(at_ms=400))])
    clock.now_ms = 1_100
    assert lag_ms(metrics) == 700
    status.set(State.CATCHING_UP, "1 partition is still being read to its end")
    clock.now_ms = 1_200
    assert lag_ms(metrics) == 800
    status.set(State.READY)
    assert lag_ms(metrics) == 0
    clock.now_ms = 1_900
    status.set(State.CATCHING_UP, "1 new partition is still being read to its end")
    clock.now_ms = 1_910
    assert lag_ms(metrics) == 10
    status.set(State.READY)
    clock.now_ms = 2_000
    meter.read([("bars", appended(at_ms=1_995))])
    clock.now_ms = 50_000
    assert lag_ms(metrics) == 5
    status.set(State.WAITING, "Kafka is away")
    clock.now_ms = 50_300
    status.set(State.WAITING, "Kafka is away, and says so otherwise")
    clock.now_ms = 50_400
    assert lag_ms(metrics) == 400
    meter.read([("bars", appended(at_ms=50_100))])
    assert lag_ms(metrics) == 300
    status.set(State.READY)
    meter.read([("bars", appended(at_ms=50_200))])
    clock.now_ms = 60_000
    assert lag_ms(metrics) == 200
    status.set(State.FAILED, "the feed ended")
    clock.now_ms = 70_000
    assert lag_ms(metrics) == 10_000


def test_each_topic_of_what_is_read_at_once_is_counted_and_measured(clock: Clock) -> None:
    metrics, status = Metrics(), Status()
    status.set(State.READY)
    clock.now_ms = 1_000
    Meter(metrics, status).read(
        [("bars", appended(at_ms=100)), ("bars", appended(at_ms=900)), ("bars.live", appended(at_ms=990))]
    )
    assert (lag_ms(metrics), lag_ms(metrics, "bars.live")) == (100, 10)
    counted = [
        metrics.registry.get_sample_value("livetape_view_records_total", {"topic": topic})
        for topic in ("bars", "bars.live")
    ]
    assert counted == [2, 1]
