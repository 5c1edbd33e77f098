"""A seeded market of stocks as ITCH 5.0 messages: the same seed and stocks make the same messages."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from replay.itch import message, symbol
from replay.trade import Side, TapeEntry, decimal_text

ROUND_LOT: Final = 100
MOST_ORDERS: Final = 5_000
MOST_PRINTED: Final = 1_000
"""Trades that may still be broken; only young ones are."""
PRICE_PLACES: Final = 4
_TICK: Final = 100
"""A cent, in the feed's units."""
_SIZES: Final = (1, 7, 50, 100, 100, 200, 300, 1_000)
_CROSSES: Final = {b"C": "closing-cross", b"H": "halt-cross", b"I": "intraday-cross"}
_OTHER_SIDE: Final[dict[bytes, Side]] = {b"B": "sell", b"S": "buy"}


class Told(NamedTuple):
    """A message, and what it adds to the tape."""

    message: bytes
    entry: TapeEntry | None = None


@dataclass(slots=True)
class _Order:
    reference: int
    locate: int
    side: bytes
    shares: int
    price: int


class ItchMarket:
    """Writes a day's messages: directory and system events first, then orders that come, go and meet.

    `now_ns` tells the time of the next message, in nanoseconds since midnight, which is at `midnight_ns`, in ns UTC.
    Match numbers are above `match_before`.
    """

    def __init__(
        self,
        stocks: Sequence[str],
        seed: int,
        now_ns: Callable[[], int],
        *,
        midnight_ns: int = 0,
        match_before: int = 0,
        currency: str = "USD",
    ) -> None:
        self._stocks = stocks
        self._chance = random.Random(f"{seed}")  # noqa: S311 - no secret, and the same market in every run
        self._now_ns = now_ns
        self._midnight_ns = midnight_ns
        self._currency = currency
        self._orders: list[_Order] = []
        self._prices = [self._chance.randrange(1_000, 50_000) * _TICK for _ in stocks]
        self._references = 0
        self._matches = match_before
        self._printed: list[tuple[int, int]] = []

    def opening(self) -> Iterator[Told]:
        """What a day begins with."""
        yield self._event(b"O")
        yield self._event(b"S")
        for locate, name in enumerate(self._stocks, 1):
            codes = (b"Q", b"N", ROUND_LOT, b"N", b"C", b"Z ", b"P", b"N", b"N", b"1", b"N", 0, b"N")
            yield self._told("R", locate, "8sccIcc2scccccIc", symbol(name), *codes)
            yield self._told("H", locate, "8scc4s", symbol(name), b"T", b" ", b"    ")
            yield self._told("Y", locate, "8sc", symbol(name), b"0")
            yield self._told("Q", locate, "Q8sIQc", 0, symbol(name), 0, self._match(), b"O")  # found no match
        yield self._event(b"Q")

    def messages(self) -> Iterator[Told]:
        """The market, without end."""
        kinds: dict[Callable[[], Told], int] = {
            self._add: 44, self._delete: 34, self._replace: 8, self._execute: 6, self._execute_at_price: 1,
            self._cancel: 2, self._hidden_trade: 2, self._imbalance: 1, self._cross: 1, self._break: 1,
        }  # fmt: skip
        while True:
            if not self._orders or not self._printed:
                yield self._add()
                yield self._hidden_trade()
            crowded = len(self._orders) > MOST_ORDERS
            (kind,) = [self._delete] if crowded else self._chance.choices(list(kinds), list(kinds.values()))
            yield kind()

    def closing(self) -> Iterator[Told]:
        """What a day ends with."""
        for event in (b"M", b"E", b"C"):
            yield self._event(event)

    def _told(self, kind: str, locate: int, layout: str, *fields: object) -> Told:
        return Told(message(kind, locate, self._now_ns(), layout, *fields))

    def _event(self, event: bytes) -> Told:
        return self._told("S", 0, "c", event)

    def _with_trade(
        self, told: Told, match_number: int, price: int, shares: int, *codes: str, side: bytes = b""
    ) -> Told:
        """The same, with the trade that it tells of; `side` is that of the order that rested."""
        locate, since_ns = int.from_bytes(told.message[1:3]), int.from_bytes(told.message[5:11])
        self._printed.append((locate, match_number))
        del self._printed[:-MOST_PRINTED]
        entry = TapeEntry(
            self._instrument(locate),
            match_number,
            decimal_text(price, PRICE_PLACES),
            str(shares),
            _OTHER_SIDE.get(side, "unknown"),
            self._midnight_ns + since_ns,
            conditions=codes,
        )
        return Told(told.message, entry)

    def _instrument(self, locate: int) -> str:
        return f"{self._stocks[locate - 1]}-{self._currency}"

    def _match(self) -> int:
        self._matches += self._chance.randrange(1, 4)
        return self._matches

    def _reference(self) -> int:
        self._references += self._chance.randrange(1, 5)
        return self._references

    def _price(self, locate: int) -> int:
        moved = self._prices[locate - 1] + self._chance.randint(-3, 3) * _TICK
        self._prices[locate - 1] = max(_TICK, moved)
        return self._prices[locate - 1]

    def _stock(self) -> tuple[int, bytes, int]:
        """A stock's locate code, its symbol and its price."""
        locate = self._chance.randrange(len(self._stocks)) + 1
        return locate, symbol(self._stocks[locate - 1]), self._price(locate)

    def _place(self) -> int:
        """Of an order, most often a young one."""
        return self._chance.randrange(max(0, len(self._orders) - 50), len(self._orders))

    def _add(self) -> Told:
        locate, name, price = self._stock()
        order = _Order(self._reference(), locate, self._chance.choice((b"B", b"S")), self._chance.choice(_SIZES), price)
        self._orders.append(order)
        fields = order.reference, order.side, order.shares, name, price
        if self._chance.randrange(20):
            return self._told("A", locate, "QcI8sI", *fields)
        return self._told("F", locate, "QcI8sI4s", *fields, b"NSDQ")

    def _delete(self) -> Told:
        order = self._orders.pop(self._place())
        return self._told("D", order.locate, "Q", order.reference)

    def _replace(self) -> Told:
        old = self._orders.pop(self._place())
        new = _Order(self._reference(), old.locate, old.side, self._chance.choice(_SIZES), self._price(old.locate))
        self._orders.append(new)
        return self._told("U", old.locate, "QQII", old.reference, new.reference, new.shares, new.price)

    def _part(self) -> tuple[_Order, int]:
        """Some shares off an order, which goes with the last of them."""
        place = self._place()
        order = self._orders[place]
        shares = self._chance.randint(1, order.shares)
        order.shares -= shares
        if order.shares == 0:
            del self._orders[place]
        return order, shares

    def _cancel(self) -> Told:
        order, shares = self._part()
        if order.shares == 0:
            return self._told("D", order.locate, "Q", order.reference)
        return self._told("X", order.locate, "QI", order.reference, shares)

    def _execute(self) -> Told:
        order, shares = self._part()
        match_number = self._match()
        told = self._told("E", order.locate, "QIQ", order.reference, shares, match_number)
        return self._with_trade(told, match_number, order.price, shares, *_odd(shares), side=order.side)

    def _execute_at_price(self) -> Told:
        order, shares = self._part()
        match_number, price = self._match(), self._price(order.locate)
        printable, codes = self._chance.choice(((b"Y", ()), (b"N", ("non-printable",))))
        told = self._told("C", order.locate, "QIQcI", order.reference, shares, match_number, printable, price)
        return self._with_trade(told, match_number, price, shares, *codes, *_odd(shares), side=order.side)

    def _hidden_trade(self) -> Told:
        locate, name, price = self._stock()
        match_number, shares = self._match(), self._chance.choice(_SIZES)
        told = self._told("P", locate, "QcI8sIQ", 0, b"B", shares, name, price, match_number)
        return self._with_trade(told, match_number, price, shares, "hidden", *_odd(shares))

    def _cross(self) -> Told:
        locate, name, price = self._stock()
        match_number, shares = self._match(), self._chance.choice(_SIZES) * 1_000
        kind, code = self._chance.choice(list(_CROSSES.items()))
        told = self._told("Q", locate, "Q8sIQc", shares, name, price, match_number, kind)
        return self._with_trade(told, match_number, price, shares, code)

    def _imbalance(self) -> Told:
        locate, name, price = self._stock()
        return self._told("I", locate, "QQc8sIIIcc", 100, 200, b"B", name, price, price, price, b"C", b" ")

    def _break(self) -> Told:
        """Of a young trade, each once."""
        young = max(0, len(self._printed) - 20)
        locate, match_number = self._printed.pop(self._chance.randrange(young, len(self._printed)))
        told = self._told("B", locate, "Q", match_number)
        time_ns = self._midnight_ns + int.from_bytes(told.message[5:11])
        action: Literal["cancel"] = "cancel"
        return Told(
            told.message, TapeEntry(self._instrument(locate), match_number, "0", "0", "unknown", time_ns, action)
        )


def _odd(shares: int) -> tuple[str, ...]:
    return ("odd-lot",) if shares < ROUND_LOT else ()
