"""ZeroMQ → `trades` channel: trades as the bridge saw them, provisional until a bar's seq from Kafka covers them."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from app.amounts import PRICE_SCALE, plain, unscaled
from app.bars import Instrument, encode
from app.catalogue import Catalogue
from app.metrics import Metrics
from app.records import BadRecord, RecordReader
from app.schema_lookup import RegistryAway
from app.settings import Settings
from app.tick_stream import Lost, Tick, TickStream
from app.venues import Part, Venue, counts_for

log = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""How long newer trades of a venue wait while none of the missed ones comes: a chart is looked at now."""
REGISTRY_RETRY_S = 1.0


class TradeListener(Protocol):
    """Who hears of an instrument's trades."""

    def trade_happened(self, key: Instrument, message: str) -> None:
        """Take one trade, already encoded; must not wait."""

    def trades_lost(self, message: str) -> None:
        """Take that messages of a venue are lost, already encoded; must not wait."""


class Ticks:
    """Receives the bridge's messages and passes trades on to who listens for their instrument."""

    def __init__(
        self,
        settings: Settings,
        *,
        venues: Mapping[str, Venue],
        reader: RecordReader,
        catalogue: Catalogue,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._venues = venues
        self._reader = reader
        self._catalogue = catalogue
        self._metrics = metrics
        self._listeners: dict[Instrument, set[TradeListener]] = {}
        self._instruments: dict[str, Instrument | None] = {}

    def subscribe(self, key: Instrument, listener: TradeListener) -> None:
        """Begin to tell a listener of the instrument's trades."""
        self._listeners.setdefault(key, set()).add(listener)

    def unsubscribe(self, key: Instrument, listener: TradeListener) -> None:
        """Stop telling the listener of them."""
        listeners = self._listeners.get(key, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(key, None)

    async def run(self) -> None:
        """Receive until cancelled."""
        async with TickStream(self._settings, patience_s=PATIENCE_S) as stream:
            async for item in stream:
                if isinstance(item, Lost):
                    self._lost(item)
                else:
                    await self._take(item)

    async def _take(self, tick: Tick) -> None:
        self._metrics.ticks.labels(tick.venue, tick.origin).inc()
        instrument = self._instrument(tick.key)
        listeners = None if instrument is None else self._listeners.get(instrument)
        if instrument is not None and listeners:
            await self._tell(instrument, tick.value, listeners)

    def _lost(self, lost: Lost) -> None:
        count = _count(lost) or 0
        log.warning("%s: trades from number %d on were not told: %s", lost.venue, lost.first, lost.reason)
        self._metrics.tick_holes.labels(lost.venue).inc()
        self._metrics.ticks_missing.labels(lost.venue).inc(count)
        of_venue = (each for instrument, each in self._listeners.items() if instrument.venue == lost.venue)
        for listener in set().union(*of_venue):
            listener.trades_lost(lost_message(lost))

    def _instrument(self, key: str) -> Instrument | None:
        """The instrument of a message's key; a clock's key is the venue alone, a packet feed's gap may be of any."""
        if key not in self._instruments:
            venue, _, name = key.partition(":")
            instrument = Instrument(venue, name) if name not in {"", "*"} else None
            self._instruments[key] = instrument
            if instrument is not None:
                self._catalogue.saw_trade(instrument)
        return self._instruments[key]

    async def _tell(self, instrument: Instrument, value: bytes, listeners: set[TradeListener]) -> None:
        try:
            name, fields = await self._read(value)
            parts = self._counts_for(fields) if name == "livetape.Trade" else []
            message = trade_message(fields, parts) if parts else None
        except (BadRecord, ValueError, ArithmeticError) as error:  # an amount that nobody can write down
            self._metrics.bad_ticks.inc()
            log.warning("trade of %s over ZeroMQ: %s", instrument, error)
            return
        if message is None:
            return
        for listener in listeners:
            listener.trade_happened(instrument, message)

    def _counts_for(self, fields: Mapping[str, Any]) -> list[Part]:
        """What of a bar a trade may count for: a cancellation's price is 0, and one of the future the fold refuses."""
        is_of_the_future = fields["event_time_ns"] > fields["receive_time_ns"] + self._settings.max_ahead_ns
        if fields["action"] != "trade" or is_of_the_future:
            return []
        return counts_for(self._venues, fields["venue"], fields["conditions"])

    async def _read(self, value: bytes) -> tuple[str, Mapping[str, Any]]:
        while self._reader.must_ask(value):
            try:
                return await asyncio.to_thread(self._reader.read, value)
            except RegistryAway as error:  # later trades wait in ZeroMQ's queue; dropping this one would lose it
                log.warning("trades over ZeroMQ wait: %s", error)
                await asyncio.sleep(REGISTRY_RETRY_S)
        return self._reader.read(value)


def lost_message(lost: Lost) -> str:
    """The /ws message that messages of a venue are lost: nobody knows whose trades are among them."""
    told = {"venue": lost.venue, "count": _count(lost), "reason": lost.reason}
    return encode({"type": "lost", "channel": "trades", **told})


def _count(lost: Lost) -> int | None:
    return None if lost.last is None else lost.last - lost.first + 1


def trade_message(fields: Mapping[str, Any], parts: Iterable[Part]) -> str:
    """The /ws message of a trade; `fields` has decimals as Avro's raw bytes."""
    names = {"venue": fields["venue"], "instrument": fields["instrument"]}
    trade = trade_json(fields, unscaled(fields["price"]), unscaled(fields["size"]), parts)
    return encode({"type": "trade", "channel": "trades", **names, "trade": trade})


def trade_json(fields: Mapping[str, Any], price: int, size: int, parts: Iterable[Part]) -> dict[str, object]:
    """The JSON object of a trade that counts for these parts of a bar; price and size are integers of scale 18."""
    return {
        "trade_id": fields["trade_id"],
        "price": plain(price, PRICE_SCALE),
        "size": plain(size, PRICE_SCALE),
        "aggressor": fields["aggressor"],
        "event_time_ns": str(fields["event_time_ns"]),
        "receive_time_ns": str(fields["receive_time_ns"]),
        "counts_for": list(parts),
    }
