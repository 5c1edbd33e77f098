"""What the check of bars against the venues' candles tells Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge

BARS: Final = Counter(
    "livetape_reconcile_bars",
    "Minutes whose bar was compared with the venue's own candle, each once",
    ["venue", "result", "why"],
)
WAITING: Final = Gauge(
    "livetape_reconcile_waiting_minutes",
    "Minutes that differ or lack a side, and have time left or depend on one to come",
)
LEFT_ALONE: Final = Gauge(
    "livetape_reconcile_left_alone", "1 for a log of the worker that is compared no further", ["topic", "partition"]
)
LAG_RECORDS: Final = Gauge(
    "livetape_reconcile_lag_records",
    "Records between the check of the bars and the end of the log",
    ["topic", "partition"],
)
LAG_S: Final = Gauge(
    "livetape_reconcile_lag_seconds",
    "Event time between where the check of the bars is and the end of the log; of bars and candles, their starts",
    ["topic", "partition"],
)
