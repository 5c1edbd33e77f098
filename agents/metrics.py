"""What a fold worker tells Prometheus."""

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
LAG: Final = Gauge("livetape_fold_lag_records", "Records between the fold and the end of the log", ["partition"])
FLUSH_S: Final = Histogram(
    "livetape_fold_flush_seconds",
    "Duration of a flush's transaction",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
RECOVERY_S: Final = Histogram(
    "livetape_fold_recovery_seconds", "Duration of a partition's recovery", buckets=(0.1, 0.5, 1, 5, 10, 60, 300)
)
