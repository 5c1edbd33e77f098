"""What a /ws client may ask: one JSON object a message, checked before anything is done."""

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from app.catalogue import Code, RequestRefused

MAX_MESSAGE = 16_384
"""Characters; a request is some hundred."""


class Op(StrEnum):
    """What a request wants."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    LIST = "list"
    PING = "ping"


class Channel(StrEnum):
    """What can be subscribed to."""

    BARS = "bars"
    TRADES = "trades"
    MOVERS = "movers"
    TABLE = "table"


AGGREGATE = "aggregates."
"""What the channel of an aggregate begins with; which there are is the catalogue's to say."""


NAMES: dict[str, tuple[str, ...]] = {
    Channel.TRADES: ("venue", "instrument"),
    Channel.MOVERS: ("interval",),
    Channel.TABLE: ("table",),
}
"""What a subscription to these channels names; to any other, a series."""

Id = str | int | None
"""The client's own name of a request, returned in the answer."""


@dataclass(frozen=True)
class Request:
    """One request; the names are empty where the op needs none."""

    op: Op
    id: Id = None
    channel: str = ""
    venue: str = ""
    instrument: str = ""
    interval: str = ""
    table: str = ""

    @property
    def subject(self) -> dict[str, str]:
        """What a subscription is to: a channel, and the names that it wants."""
        return {"channel": self.channel, **{name: getattr(self, name) for name in _names(self.channel)}}


class MessageRefused(RequestRefused):
    """A request refused, with the id it carried, if that much could be read."""

    def __init__(self, refused: RequestRefused, request_id: Id) -> None:
        self.id = request_id
        super().__init__(refused.code, refused.reason)


def parse(text: str | None) -> Request:
    """Read one message; None stands for a binary one.

    Raises:
        MessageRefused: it is no request that can be understood; the reason says why.
    """
    request_id: Id = None
    try:
        message = _object(text)
        request_id = _id(message)
        return _request(message, request_id)
    except RequestRefused as refused:
        raise MessageRefused(refused, request_id) from refused


def _object(text: str | None) -> dict[str, Any]:
    if text is None:
        raise RequestRefused(Code.BAD_MESSAGE, "binary messages are not understood: send JSON as text")
    if len(text) > MAX_MESSAGE:
        raise RequestRefused(Code.BAD_MESSAGE, f"{len(text)} characters; at most {MAX_MESSAGE} are read")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestRefused(Code.BAD_MESSAGE, f"not JSON: {error}") from error
    try:
        json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:  # an answer that repeats it could not be sent
        raise RequestRefused(Code.BAD_MESSAGE, f"half of a character is no text: {error.reason}") from error
    if not isinstance(message, dict):
        raise RequestRefused(Code.BAD_MESSAGE, 'a request is a JSON object such as {"op":"ping"}')
    return message


def _id(message: dict[str, Any]) -> Id:
    value = message.get("id")
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise RequestRefused(Code.BAD_MESSAGE, "`id` must be text or a whole number")
    return value


def _request(message: dict[str, Any], request_id: Id) -> Request:
    _check_names(message)
    op = _text(message, "op")
    if op not in set(Op):
        raise RequestRefused(Code.UNKNOWN_OP, f"{op!r} is no op; the ops are {', '.join(Op)}")
    if op in {Op.LIST, Op.PING}:
        return Request(Op(op), request_id)
    channel = _text(message, "channel")
    if channel not in set(Channel) and not channel.startswith(AGGREGATE):
        listed = f"{', '.join(Channel)}, and {AGGREGATE}… of each aggregate that is declared"
        raise RequestRefused(Code.UNKNOWN_CHANNEL, f"{channel!r} is no channel; the channels are {listed}")
    return Request(Op(op), request_id, channel, **{name: _text(message, name) for name in _names(channel)})


def _names(channel: str) -> tuple[str, ...]:
    """What a subscription to a channel names."""
    return NAMES.get(channel, ("venue", "instrument", "interval"))


def _check_names(message: dict[str, Any]) -> None:
    """Refuse a name that no request has: it may be misspelt, or ask for what there is not."""
    known = [field.name for field in fields(Request)]
    for name in message:
        if name not in known:
            raise RequestRefused(Code.BAD_MESSAGE, f"`{name}` is not known; the names are {', '.join(known)}")


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not value:
        missing = f"`{name}` is missing" if value is None else f"`{name}` must be text"
        raise RequestRefused(Code.BAD_MESSAGE, missing)
    return value
