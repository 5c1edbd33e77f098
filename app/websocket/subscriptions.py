"""What one client is subscribed to."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from app.bars import Instrument, SeriesKey, encode
from app.catalogue import Code, RequestRefused
from app.movers import movers_key
from app.services import Services
from app.websocket.outbox import Outbox
from app.websocket.requests import Channel, Request

MAX_SUBSCRIPTIONS: Final = 500


class _Subscription(NamedTuple):
    end: Callable[[], None]
    waits_as: SeriesKey | None
    """Under what its updates wait in the outbox; trades wait one by one."""


class Subscriptions:
    """What one client hears of: each subject once, and at most MAX_SUBSCRIPTIONS of them.

    It listens to all of them, and puts what they tell into the client's outbox. Answers to requests are JSON objects,
    without the request's id; the updates of a subject follow on the answer that began it.
    """

    def __init__(self, services: Services, outbox: Outbox) -> None:
        self._services = services
        self._outbox = outbox
        self._held: dict[tuple[str, ...], _Subscription] = {}

    def begin(self, request: Request) -> str:
        """Hear of a subject from now on; the answer says how it stands, once more where it is heard of already.

        Raises:
            RequestRefused: there is no such subject, or not yet, or no room for another one.
        """
        match request.channel:
            case Channel.TRADES:
                return self._begin_trades(request)
            case Channel.MOVERS:
                return self._begin_movers(request)
            case Channel.TABLE:
                return self._begin_table(request)
            case _:
                return self._begin_bars(request)

    def end(self, request: Request) -> str:
        """Hear no more of a subject; the answer.

        Raises:
            RequestRefused: it is not heard of.
        """
        ended = self._held.pop(_identity(request), None)
        if ended is None:
            raise RequestRefused(Code.NOT_SUBSCRIBED, "there is no such subscription on this connection")
        ended.end()
        self._forget_unsent(ended)
        return encode({"type": "unsubscribed", **request.subject})

    def end_all(self) -> None:
        """Hear no more of anything."""
        for subscription in self._held.values():
            subscription.end()
        self._held.clear()

    def bar_changed(self, key: SeriesKey, start_ns: int, message: str) -> None:
        """Take a bar's update from the view, or a ranking of movers."""
        self._outbox.put_bar(key, start_ns, message)

    def trade_happened(self, key: Instrument, message: str) -> None:
        """Take a trade from the ticks."""
        self._outbox.put_trade(key, message)

    def trades_lost(self, message: str) -> None:
        """Take from the ticks that trades were lost."""
        self._outbox.put(message)

    def row_changed(self, table: str, key: str, message: str) -> None:
        """Take a row's update from a user's table."""
        self._outbox.put_bar(_table_key(table), key, message)

    def _begin_bars(self, request: Request) -> str:
        catalogue, view = self._services.catalogue, self._services.view
        key = catalogue.series(request.venue, request.instrument, request.interval, request.channel)
        catalogue.check_loaded("bars")
        self._check_room(request)
        snapshot = view.subscribe(key, self)
        if snapshot is None:
            reason = "more series are kept live, or waited for, than there is room for; REST has what is stored"
            raise RequestRefused(Code.TOO_MANY_SERIES, reason)
        self._hold(request, partial(view.unsubscribe, key, self), key)
        return snapshot

    def _begin_trades(self, request: Request) -> str:
        ticks = self._services.ticks
        key = self._services.catalogue.instrument(request.venue, request.instrument)
        self._check_room(request)
        ticks.subscribe(key, self)
        self._hold(request, partial(ticks.unsubscribe, key, self), None)
        return encode({"type": "subscribed", **request.subject})

    def _begin_movers(self, request: Request) -> str:
        movers, interval = self._services.movers, request.interval
        movers.check_interval(interval)
        self._services.catalogue.check_loaded("movers")
        movers.check_whole(interval)
        self._check_room(request)
        ranking = movers.subscribe(interval, self)
        self._hold(request, partial(movers.unsubscribe, interval, self), movers_key(interval))
        return ranking

    def _begin_table(self, request: Request) -> str:
        tables, table = self._services.tables, request.table
        self._check_room(request)
        snapshot = tables.subscribe(table, self)
        self._hold(request, partial(tables.unsubscribe, table, self), _table_key(table))
        return snapshot

    def _check_room(self, request: Request) -> None:
        if _identity(request) not in self._held and len(self._held) >= MAX_SUBSCRIPTIONS:
            raise RequestRefused(Code.TOO_MANY, f"a connection may hold {MAX_SUBSCRIPTIONS} subscriptions")

    def _hold(self, request: Request, end: Callable[[], None], waits_as: SeriesKey | None) -> None:
        begun = self._held[_identity(request)] = _Subscription(end, waits_as)
        self._forget_unsent(begun)

    def _forget_unsent(self, subscription: _Subscription) -> None:
        """Leave out the updates that the answer has already, or that nobody waits for any more."""
        if subscription.waits_as is not None:
            self._outbox.forget(subscription.waits_as)


def _identity(request: Request) -> tuple[str, ...]:
    return tuple(request.subject.values())


def _table_key(table: str) -> SeriesKey:
    """Under what a table's rows wait in the outbox; no series has such names."""
    return SeriesKey("", table, "")
