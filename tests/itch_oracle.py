"""A plain reader of ITCH 5.0 and a book of its orders, to say what the bridge should have made of a stream.

It is slow and simple on purpose: each message becomes a mapping of all its fields by the tables below, amounts are
Decimals, and orders a dict. Nothing of it is shared with the bridge or with the simulated feed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

Fields = dict[str, Any]

# name:kind:bytes, where a kind is an integer, text or a price of so many decimals.
_STOCK = "stock:text:8"
_ADD = f"order:int:8 side:text:1 shares:int:4 {_STOCK} price:4:4"
_LAYOUTS: Final = {
    "S": "event:text:1",
    "R": f"{_STOCK} category:text:1 status:text:1 lot:int:4 lots_only:text:1 class:text:1 sub_type:text:2 "
    "authentic:text:1 threshold:text:1 ipo:text:1 tier:text:1 etp:text:1 leverage:int:4 inverse:text:1",
    "H": f"{_STOCK} state:text:1 reserved:text:1 reason:text:4",
    "Y": f"{_STOCK} action:text:1",
    "L": f"participant:text:4 {_STOCK} primary:text:1 mode:text:1 state:text:1",
    "V": "level_1:8:8 level_2:8:8 level_3:8:8",
    "W": "level:text:1",
    "K": f"{_STOCK} release:int:4 qualifier:text:1 price:4:4",
    "J": f"{_STOCK} reference:4:4 upper:4:4 lower:4:4 extension:int:4",
    "h": f"{_STOCK} market:text:1 action:text:1",
    "A": _ADD,
    "F": f"{_ADD} participant:text:4",
    "E": "order:int:8 shares:int:4 match:int:8",
    "C": "order:int:8 shares:int:4 match:int:8 printable:text:1 price:4:4",
    "X": "order:int:8 shares:int:4",
    "D": "order:int:8",
    "U": "order:int:8 new_order:int:8 shares:int:4 price:4:4",
    "P": f"{_ADD} match:int:8",
    "Q": f"shares:int:8 {_STOCK} price:4:4 match:int:8 cross:text:1",
    "B": "match:int:8",
    "I": f"paired:int:8 imbalance:int:8 direction:text:1 {_STOCK} far:4:4 near:4:4 reference:4:4 cross:text:1 "
    "variation:text:1",
    "N": f"{_STOCK} interest:text:1",
    "O": f"{_STOCK} eligible:text:1 lowest:4:4 highest:4:4 near:4:4 near_time:int:8 lower:4:4 upper:4:4",
}
_USUAL_LOT: Final = 100
"""The round lot of a stock that the directory did not name."""
_CROSSES: Final = {"O": "opening-cross", "C": "closing-cross", "H": "halt-cross", "I": "intraday-cross"}


@dataclass(frozen=True)
class OracleTrade:
    """A trade or a cancellation, as a record of `trades` should have it."""

    instrument: str
    trade_id: str
    price: Decimal
    size: Decimal
    aggressor: str
    event_time_ns: int
    action: str
    conditions: tuple[str, ...]


def fields_of(message: bytes) -> Fields:
    """All fields of a message. Raises ValueError where it is longer or shorter than its type."""
    kind = chr(message[0])
    layout = f"type:text:1 locate:int:2 tracking:int:2 time_ns:int:6 {_LAYOUTS[kind]}"
    fields: Fields = {}
    at = 0
    for part in layout.split():
        name, how, width = part.split(":")
        raw = message[at : at + int(width)]
        at += int(width)
        if how == "text":
            fields[name] = raw.decode().rstrip(" ")
        elif how == "int":
            fields[name] = int.from_bytes(raw)
        else:
            fields[name] = Decimal(int.from_bytes(raw)).scaleb(-int(how))
    if at != len(message):
        raise ValueError(f"{kind} has {at} bytes, not {len(message)}")
    return fields


def length_of(kind: str) -> int:
    """How many bytes a message of a type has."""
    return 11 + sum(int(part.rsplit(":", 1)[1]) for part in _LAYOUTS[kind].split())


def split(data: bytes) -> list[bytes]:
    """Messages that each stand behind two bytes, whatever those are; what is cut off at the end is left out."""
    messages = []
    at = 0
    while at + 3 <= len(data):
        length = length_of(chr(data[at + 2]))
        if at + 2 + length > len(data):
            break
        messages.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return messages


def trades(messages: Iterable[bytes], midnight_ns: int) -> Iterator[OracleTrade | str]:
    """Of each message its trade, or the name of what is wrong with it; nothing where neither is."""
    orders: dict[int, Fields] = {}
    stocks: dict[int, Fields] = {}
    for message in messages:
        of = fields_of(message)
        kind = of["type"]
        resting = orders.get(of.get("order", -1))
        if kind == "R":
            stocks[of["locate"]] = of
        elif kind in "AFPQ":
            stocks.setdefault(of["locate"], {"stock": of["stock"], "lot": _USUAL_LOT})
        if kind in "AF":
            if of["order"] in orders:
                yield "known_order"
            orders[of["order"]] = of
        elif kind in "PQB":
            if kind == "B" or of["shares"]:
                yield _trade(of, stocks, midnight_ns, of.get("price"), None)
        elif kind in "ECXDU":
            if kind == "C" or (kind == "E" and resting):
                yield _trade(of, stocks, midnight_ns, {**(resting or {}), **of}["price"], resting)
            yield from _flaw(of, resting)
            _change(orders, of, resting)


def _flaw(of: Fields, resting: Fields | None) -> Iterator[str]:
    if resting is None:
        yield "unknown_order"
    elif of["type"] in "ECX" and of["shares"] > resting["shares"]:
        yield "too_many_shares"


def _change(orders: dict[int, Fields], of: Fields, resting: Fields | None) -> None:
    left = 0 if of["type"] in "DU" or resting is None else resting["shares"] - of["shares"]
    orders.pop(of["order"], None)
    if resting is not None and left > 0:
        orders[of["order"]] = {**resting, "shares": left}
    if of["type"] == "U":
        side = resting["side"] if resting else ""
        orders[of["new_order"]] = {"side": side, "shares": of["shares"], "price": of["price"]}


def _trade(
    of: Fields, stocks: dict[int, Fields], midnight_ns: int, price: Decimal | None, resting: Fields | None
) -> OracleTrade | str:
    stock = stocks.get(of["locate"])
    if stock is None:
        return "unknown_stock"
    is_cancel = of["type"] == "B"
    shares = 0 if is_cancel else of["shares"]
    codes = {"P": ["hidden"], "Q": [_CROSSES.get(of.get("cross", ""), "intraday-cross")]}.get(of["type"], [])
    if of.get("printable") == "N":
        codes = ["non-printable"]
    if of["type"] in "ECP" and shares < stock["lot"]:
        codes = [*codes, "odd-lot"]
    return OracleTrade(
        instrument=f"{stock['stock']}-USD",
        trade_id=str(of["match"]),
        price=price or Decimal(0),
        size=Decimal(shares),
        aggressor={"B": "sell", "S": "buy"}.get(resting["side"] if resting else "", "unknown"),
        event_time_ns=midnight_ns + of["time_ns"],
        action="cancel" if is_cancel else "trade",
        conditions=tuple(codes),
    )
