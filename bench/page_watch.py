"""A client of /ws that notes when it first hears of each trade, by either flow."""

import json
import time
from collections.abc import Iterable
from typing import Any

from websockets.asyncio.client import connect

VENUE = "binance"


class PageWatch:
    """Subscribes to the base bars and the trades of instruments, as a page does.

    A bar's update covers every trade of its instrument up to `last_trade_id`: Binance's ids rise by one.
    """

    def __init__(self, url: str, instruments: Iterable[str], interval: str) -> None:
        self.instant_ns: dict[tuple[str, int], int] = {}
        """When each trade, by instrument and id, came on the channel `trades`, in ns since 1970."""
        self.received_ns: dict[tuple[str, int], int] = {}
        """When the bridge read each trade's frame, as the trade itself tells."""
        self.covered: list[tuple[str, int, int]] = []
        """Each bar update that covers new trades: instrument, last trade id, ns since 1970."""
        self._url = url
        self._interval = interval
        self._newest = dict.fromkeys(instruments, -1)

    async def run(self) -> None:
        """Listen until cancelled."""
        async with connect(self._url, compression=None, max_queue=None) as websocket:
            for instrument in self._newest:
                names = {"op": "subscribe", "venue": VENUE, "instrument": instrument}
                await websocket.send(json.dumps({**names, "channel": "bars", "interval": self._interval}))
                await websocket.send(json.dumps({**names, "channel": "trades"}))
            async for message in websocket:
                self._take(json.loads(message), time.time_ns())

    def _take(self, message: dict[str, Any], now_ns: int) -> None:
        match message:
            case {"type": "trade", "instrument": str(instrument), "trade": dict(trade)}:
                key = (instrument, int(trade["trade_id"]))
                self.instant_ns.setdefault(key, now_ns)
                self.received_ns.setdefault(key, int(trade["receive_time_ns"]))
            case {"type": "update", "instrument": str(instrument), "bar": dict(bar)}:
                last = int(bar["last_trade_id"])
                if last > self._newest[instrument]:
                    self._newest[instrument] = last
                    self.covered.append((instrument, last, now_ns))
            case {"type": "error"}:
                raise RuntimeError(f"/ws refused: {message}")
