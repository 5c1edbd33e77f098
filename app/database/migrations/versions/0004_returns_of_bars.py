"""Squared log returns within bars, and realised volatility in the view bar_vwap."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# A quotient and a root have as many places as their longest operand: what is rounded to 18 is given 36 or more.
BAR_VWAP = """
    CREATE VIEW bar_vwap AS
    SELECT bar.*,
           timestamptz 'epoch' + start_ns / 1000 * interval '1 microsecond' AS start_time,
           round(round(notional, 36) / nullif(volume, 0), 18) AS vwap,
           round(round(buy_volume - sell_volume, 36) / nullif(buy_volume + sell_volume, 0), 18) AS order_flow_imbalance,
           round(sqrt(round(squared_returns, 38)), 18) AS realised_volatility
    FROM bar
"""


def upgrade() -> None:
    """Add the column, null in rows of before, and make the view anew: its columns are those that bar had."""
    op.execute("DROP VIEW bar_vwap")
    comment = "Sum of the squared log returns from close to close of base bars; null where there is none"
    for table in ("bar", "bar_revision"):
        op.add_column(table, sa.Column("squared_returns", sa.Numeric(), nullable=True, comment=comment))
    op.execute(BAR_VWAP)
    op.execute(
        "COMMENT ON VIEW bar_vwap IS 'bar with vwap = notional / volume, order_flow_imbalance = "
        "(buy_volume - sell_volume) / (buy_volume + sell_volume), realised_volatility = sqrt(squared_returns), and its "
        "start as a timestamp'"
    )
