"""What the SQL sink tells Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

ROWS: Final = Counter("livetape_sink_rows", "Rows handed to Postgres in committed transactions", ["table"])
DEAD: Final = Counter("livetape_sink_dead_letters", "Records that could not be stored as rows", ["topic"])
FENCED: Final = Counter("livetape_sink_fenced", "Writes refused because the database was elsewhere", ["topic"])
AWAY: Final = Counter("livetape_sink_waits", "Waits for Postgres or the registry to answer")
FULL: Final = Counter("livetape_sink_full", "Times that fetching stopped because too many rows waited to be written")
STORED: Final = Gauge("livetape_sink_next_offset", "All before this offset is stored", ["topic", "partition"])
LAG_RECORDS: Final = Gauge(
    "livetape_sink_lag_records", "Records between what is stored and the end of the log", ["topic", "partition"]
)
LAG_S: Final = Gauge(
    "livetape_sink_lag_seconds",
    "Event time between what is stored and the end of the log; of bars, their starts",
    ["topic", "partition"],
)
LEFT_ALONE: Final = Gauge(
    "livetape_sink_left_alone", "1 for a partition of the sink that is stored no further", ["topic", "partition"]
)
WRITE_S: Final = Histogram(
    "livetape_sink_write_seconds", "Duration of a write's transaction", buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)
)
