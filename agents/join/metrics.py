"""What the join tells Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

TRADES: Final = Counter("livetape_join_trades", "Trades accepted by the join with quotes", ["partition"])
DUPLICATES: Final = Counter("livetape_join_duplicates", "Trades that were delivered again", ["partition"])
LATE: Final = Counter("livetape_join_late", "Trades refused as older than the correction horizon", ["partition"])
UNUSABLE: Final = Counter("livetape_join_unusable", "Records that the fold makes dead letters of", ["partition"])
DEAD: Final = Counter("livetape_join_dead_letters", "Quotes that could not be joined with", ["reason"])
GONE: Final = Counter(
    "livetape_join_gone", "Trades that retention took from the log while they waited for quotes", ["partition"]
)
QUOTES: Final = Counter("livetape_join_quotes", "Quotes taken, those read again after a restart too", ["partition"])
LATE_QUOTES: Final = Counter("livetape_join_late_quotes", "Quotes refused as behind their venue's clock", ["partition"])
IGNORED_QUOTES: Final = Counter(
    "livetape_join_ignored_quotes", "Quotes of venues that venues.yaml says no quotes of", ["partition"]
)
LAG_RECORDS: Final = Gauge(
    "livetape_join_lag_records", "Records between the join and the end of the log", ["topic", "partition"]
)
LAG_S: Final = Gauge(
    "livetape_join_lag_seconds", "Event time between where the join is and the end of the log", ["topic", "partition"]
)
LEFT_ALONE: Final = Gauge(
    "livetape_join_left_alone", "1 for a log of the worker that is joined no further", ["topic", "partition"]
)
KEPT_QUOTES: Final = Gauge("livetape_join_kept_quotes", "Quotes that trades may still ask for", ["partition"])
WAITING_TRADES: Final = Gauge("livetape_join_waiting_trades", "Trades that wait for quotes", ["partition"])
FLUSH_S: Final = Histogram(
    "livetape_join_flush_seconds",
    "Duration of a flush's transaction",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
