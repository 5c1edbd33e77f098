"""Comments: a price of a bar is 0 where no trade counts for it, and trade ids may begin anew each day."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PRICES = {
    "open": "Price of the first trade",
    "high": "Highest price",
    "low": "Lowest price",
    "close": "Price of the last trade",
}


def upgrade() -> None:
    """Say so."""
    for table in ("bar", "bar_revision"):
        for name, price in PRICES.items():
            op.alter_column(table, name, comment=f"{price}, in quote currency; 0 where no trade counts for it")
    op.alter_column(
        "trade", "trade_id", comment="The venue's own id of the trade, unique within the instrument and the day"
    )
