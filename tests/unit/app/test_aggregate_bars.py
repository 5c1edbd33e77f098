"""How windows of users' aggregates are told."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from app.aggregate_bars import from_record, from_row
from app.aggregates import Aggregate, Amount, Integer, Trades, declared
from app.aggregates.schema import amount_bytes

BEYOND_JAVASCRIPT = 2**53 + 1


@dataclass(frozen=True)
class Times(Aggregate):
    """A time as a number and as text."""

    name = "times"
    number: Annotated[int, Integer("A JSON number.")] = 0
    text: Annotated[int, Amount("A JSON text.", scale=0)] = 0

    def fold(self, trades: Trades) -> "Times":
        raise NotImplementedError

    def merge(self, later: "Times") -> "Times":
        raise NotImplementedError


def test_a_whole_number_is_told_as_text_where_it_is_an_amount() -> None:
    times = declared(Times)
    names = {"venue": "binance", "instrument": "BTC-USDT", "interval": "1m", "start_ns": 0, "epoch": "log-0"}
    fields = {**names, "generation": 0, "trade_count": 1, "state": "final", "revision": 0, "seq": 7}
    fields["number"] = BEYOND_JAVASCRIPT
    bars = (
        from_record(times, fields | {"text": amount_bytes(BEYOND_JAVASCRIPT)}),
        from_row(times, fields | {"text": Decimal(BEYOND_JAVASCRIPT)}),
    )
    for bar in bars:
        told = json.loads(bar.text)
        assert (told["number"], told["text"]) == (BEYOND_JAVASCRIPT, str(BEYOND_JAVASCRIPT))
