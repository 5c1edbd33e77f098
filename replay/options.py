"""What options of `livetape replay` say, read and checked. Each raises ValueError that names the option."""

import ipaddress
import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from replay.packet_feed import Address
from replay.venues import VenueName

MAXIMUM: Final = "max"
LAST_PORT: Final = 65_535
Value = TypeVar("Value")


def read_instruments(option: str, text: str) -> list[str]:
    """Canonical names, comma-separated."""
    return _names(option, text, r"[^\s-]+-[^\s-]+", "canonical names are needed, such as BTC-USDT,ETH-USDT")


def read_stocks(text: str) -> list[str]:
    """Symbols as a feed can tell them, comma-separated."""
    return _names("--stocks", text, "[!-~]{1,8}", "symbols of at most eight letters are needed, such as AAPL,MSFT")


def read_speed(text: str) -> float | None:
    """How many times as fast as it was; nothing for as fast as it goes."""
    if text == MAXIMUM:
        return None
    with suppress(ValueError):
        speed = float(text)
        if 0 < speed < math.inf:
            return speed
    raise ValueError(f"--speed {text!r}: a number above 0 is needed, or {MAXIMUM}")


def read_rate(text: str) -> int | None:
    """How many a second; nothing for as many as go."""
    if text == MAXIMUM:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"--rate {text!r}: a whole number above 0 is needed, or {MAXIMUM}")
    return int(text)


def read_address(option: str, text: str) -> Address:
    """An IPv4 address and a port."""
    host, _, port = text.rpartition(":")
    try:
        return read_host(option, host), _port(port, first=1)
    except ValueError as error:
        raise ValueError(f"{option} {text!r}: an IPv4 address and its port are needed: 239.77.2.1:26400") from error


def read_host(option: str, text: str) -> str:
    """An IPv4 address."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise ValueError(f"{option} {text!r}: no IPv4 address") from error


def read_venues(texts: Sequence[str]) -> dict[VenueName, int]:
    """The port of each venue, by `VENUE=PORT`; 0 is any."""
    ports = {}
    for text in texts:
        name, _, port = text.partition("=")
        try:
            ports[VenueName(name)] = _port(port, first=0)
        except ValueError as error:
            known = ", ".join(VenueName)
            raise ValueError(f"--venue {text!r}: VENUE=PORT is needed, with one of {known}, and a port") from error
    return ports


def read_as(option: str, read: Callable[[str], Value], text: str) -> Value:
    """What `read` makes of a text, whose complaint does not know the option."""
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from error


def _names(option: str, text: str, pattern: str, needed: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names) or not all(re.fullmatch(pattern, name) for name in names):
        raise ValueError(f"{option} {text!r}: {needed}, each once")
    return names


def _port(text: str, first: int) -> int:
    if not text.isdecimal() or not first <= int(text) <= LAST_PORT:
        raise ValueError(f"{text!r} is no port")
    return int(text)
