"""When the bridge published a trade, and when it reached the network card."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIMES = {
    "publish_time_ns": "When the bridge handed it on, in nanoseconds since 1970-01-01T00:00:00Z; "
    "null where it did not say so",
    "hardware_time_ns": "When it reached the network card by the card's own clock, in nanoseconds; "
    "null where none told",
}


def upgrade() -> None:
    """Add the columns, null in rows of before."""
    for table in ("trade", "trade_correction"):
        for name, comment in TIMES.items():
            op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=True, comment=comment))
