"""Types of settings, and what is checked of their text."""

import re
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BeforeValidator, Field

_POSTGRES_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
"""What of libpq's parameters may be said."""
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_LAST_PORT = 65_535


def _said_path(path: object) -> object:
    if path == "":  # Path would take it for the current folder, whose files a command that cleans would remove
        raise ValueError("it is empty: name a path, or leave the variable out")
    return path


AbsolutePath = Annotated[Path, BeforeValidator(_said_path), AfterValidator(Path.absolute)]


def named_once(instruments: tuple[str, ...]) -> tuple[str, ...]:
    """The same names; raise ValueError where one is there twice."""
    doubled = sorted({name for name in instruments if instruments.count(name) > 1})
    if doubled:
        raise ValueError(f"{', '.join(doubled)}: named more than once")
    return instruments


def _zmq_address(text: str) -> str:
    if re.fullmatch(r"tcp://.+:\d+|ipc://.+", text) is None:
        raise ValueError(f"{text!r} is no ZeroMQ address such as tcp://127.0.0.1:5556")
    return re.sub(r"^tcp://\*:", "tcp://0.0.0.0:", text)  # the bridge binds it, and nobody connects to `*`


def _udp_address(text: str) -> str:
    host, _, port = text.rpartition(":")
    try:
        IPv4Address(host)
        is_one = port.isascii() and port.isdigit() and 1 <= int(port) <= _LAST_PORT
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError(f"{text!r} is no IPv4 address with its port, such as 239.77.2.1:26400")
    return text


def _registry_url(text: str) -> str:
    if "@" in text:  # every client of the API is told the address, and a password may have `/`, `?` and `#`
        raise ValueError(
            "it has an @: user and password are LIVETAPE_REGISTRY_USER and LIVETAPE_REGISTRY_PASSWORD, and an @ of its "
            "path is %40"
        )
    return text


def _origin(text: str) -> str:
    named = re.fullmatch(r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9]\d*))?", text)
    if named is None or named.groups() in (("http", "80"), ("https", "443")):
        raise ValueError(
            f"{text!r} is no origin such as https://charts.example, as browsers say it: all in small ASCII letters "
            "(xn--...), of one host without *, and without the port that http (80) or https (443) has anyway"
        )
    return text


def _postgres_url(text: str) -> str:
    named = re.fullmatch(r"postgresql\+psycopg://([^:/@]*(:[^@]*)?@)?[^/?#@]*?(:\d+)?/?(\?(?P<tls>[^?#@]*))?", text)
    if named is None:
        raise ValueError("it must name server and role, and no database, as postgresql+psycopg://USER@HOST:PORT does")
    for name, value in parse_qsl(named["tls"] or "", keep_blank_values=True):
        if name not in _POSTGRES_TLS:
            raise ValueError(f"it has {name}, and may have {', '.join(_POSTGRES_TLS)} alone")
        if name == "sslmode" and value not in _SSL_MODES:
            raise ValueError(f"{value!r} is no sslmode: it is one of {', '.join(_SSL_MODES)}")
    return text


def _ip_address(text: str) -> str:
    return str(ip_address(text))


ZmqAddress = Annotated[str, AfterValidator(_zmq_address)]
UdpAddress = Annotated[str, AfterValidator(_udp_address)]
Origin = Annotated[str, AfterValidator(_origin)]
RegistryUrl = Annotated[str, AfterValidator(_registry_url)]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]
Namespace = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
