"""cryptofeed on the frames of `make bench-bridge`: what one costs it, up to its trade handed to a callback.

Run in the environment of the Python peers, with the frames on standard input, a line each. Its Binance client reads
aggregate trades, so each frame is told to be one: the event's name and the key of the id are others, nothing else.
"""

import asyncio
import json
import sys
import time
from decimal import Decimal
from typing import Any, Final

from cryptofeed.defines import TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.symbols import Symbols

ROUNDS: Final = 5
Read = tuple[str, Decimal, Decimal]
"""A trade's id, price and size."""


def as_aggregate(frame: str) -> str:
    """The frame as the venue would send an aggregate trade."""
    return frame.replace('"e":"trade"', '"e":"aggTrade"').replace('"t":', '"a":').replace("@trade", "@aggTrade")


def expected(frame: str) -> Read:
    """What a frame says, read by Python's own JSON."""
    trade = json.loads(frame)["data"]
    return str(trade["a"]), Decimal(trade["p"]), Decimal(trade["q"])


async def measure(frames: list[str]) -> float:
    """Nanoseconds a frame, of the fastest round.

    Raises:
        ValueError: a trade came out as another than was in its frame.
    """
    read: list[Read] = []

    async def take(trade: Any, _received_s: float) -> None:  # noqa: ANN401 - cryptofeed has no types
        read.append((trade.id, trade.price, trade.amount))

    Symbols.set(Binance.id, {"BTC-USDT": "BTCUSDT"}, {"instrument_type": {"BTC-USDT": "spot"}})
    feed = Binance(symbols=["BTC-USDT"], channels=[TRADES], callbacks={TRADES: take})
    fastest_ns = float("inf")
    for _ in range(ROUNDS):
        read.clear()
        begun_ns = time.perf_counter_ns()
        for frame in frames:
            await feed.message_handler(frame, None, 0.0)
        fastest_ns = min(fastest_ns, (time.perf_counter_ns() - begun_ns) / len(frames))
        if read != [expected(frame) for frame in frames]:
            raise ValueError("cryptofeed's trades are not those of the frames")
    return fastest_ns


if __name__ == "__main__":
    print(json.dumps({"cryptofeed_frame_ns": round(asyncio.run(measure([*map(as_aggregate, sys.stdin)])))}))
