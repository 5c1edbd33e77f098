"""What the fold's workers tell Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

TRADES: Final = Counter("livetape_fold_trades", "Trades folded into bars", ["partition"])
DUPLICATES: Final = Counter("livetape_fold_duplicates", "Trades that were delivered again", ["partition"])
LATE: Final = Counter("livetape_fold_late", "Trades refused as older than the correction horizon", ["partition"])
DEAD: Final = Counter("livetape_fold_dead_letters", "Records that could not be folded", ["reason"])
CORRECTIONS: Final = Counter(
    "livetape_fold_corrections", "Corrections and cancellations that changed a bar", ["partition"]
)
REREADS: Final = Counter(
    "livetape_fold_rereads", "Stretches of the log that were read again for a correction", ["partition"]
)
FINALS: Final = Counter("livetape_fold_final_bars", "Bars that became final", ["partition"])
REVISIONS: Final = Counter("livetape_fold_revisions", "Revisions of final bars", ["partition"])
LAG_RECORDS: Final = Gauge(
    "livetape_fold_lag_records", "Records between the fold and the end of the log", ["partition"]
)
LAG_S: Final = Gauge(
    "livetape_fold_lag_seconds", "Event time between where the fold is and the end of the log", ["partition"]
)
LEFT_ALONE: Final = Gauge(
    "livetape_fold_left_alone", "1 for a partition of the worker that is folded no further", ["partition"]
)
MISPLACED_SERIES: Final = Gauge(
    "livetape_fold_misplaced_series",
    "Instruments in a partition of the worker whose key belongs to another partition",
    ["partition"],
)
AGGREGATE_ERRORS: Final = Counter(
    "livetape_fold_aggregate_errors",
    "Failures of users' aggregates; each stops its partition",
    ["aggregate", "partition"],
)
FLUSH_S: Final = Histogram(
    "livetape_fold_flush_seconds",
    "Duration of a flush's transaction",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
RECOVERY_S: Final = Histogram(
    "livetape_fold_recovery_seconds",
    "From a partition's assignment to its being ready to be folded, by what the worker had of its state",
    ["state"],
    buckets=(0.02, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300),
)
PAUSE_S: Final = Histogram(
    "livetape_fold_pause_seconds",
    "From letting partitions go in a rebalance to being ready to fold one assigned then, by what the worker had of it",
    ["state"],
    buckets=(0.02, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300),
)
STANDBY_LAG_RECORDS: Final = Gauge(
    "livetape_fold_standby_lag_records", "Offsets of the changelog that a standby has not taken yet", ["partition"]
)
