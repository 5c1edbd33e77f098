"""Who bought and who sold: buy_volume and sell_volume of bars, and order-flow imbalance in the view bar_vwap."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A quotient has as many places as its longer operand, or 16 digits: the dividend is given 36, and loses none to 18.
BAR_VWAP = """
    CREATE VIEW bar_vwap AS
    SELECT bar.*,
           timestamptz 'epoch' + start_ns / 1000 * interval '1 microsecond' AS start_time,
           round(round(notional, 36) / nullif(volume, 0), 18) AS vwap,
           round(round(buy_volume - sell_volume, 36) / nullif(buy_volume + sell_volume, 0), 18) AS order_flow_imbalance
    FROM bar
"""


def upgrade() -> None:
    """Add the columns, null in rows of before, and make the view anew: its columns are those that bar had."""
    op.execute("DROP VIEW bar_vwap")
    for table in ("bar", "bar_revision"):
        for side, did in (("buy", "bought"), ("sell", "sold")):
            comment = f"Sum of the sizes whose aggressor {did}, in base currency"
            op.add_column(table, sa.Column(f"{side}_volume", sa.Numeric(), nullable=True, comment=comment))
    op.execute(BAR_VWAP)
    op.execute(
        "COMMENT ON VIEW bar_vwap IS 'bar with vwap = notional / volume, order_flow_imbalance = "
        "(buy_volume - sell_volume) / (buy_volume + sell_volume), and its start as a timestamp'"
    )
