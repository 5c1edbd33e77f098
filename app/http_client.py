"""HTTP as a client: by the proxy of the environment, but never to this machine itself."""

from ipaddress import ip_address
from typing import Any, Final

import httpx

LIMITS: Final = httpx.Limits()


class ProxyUnusable(Exception):
    """The environment names a proxy that cannot be used; the message says why, and what to do."""


def client_of(url: str, *, limits: httpx.Limits = LIMITS, **options: Any) -> httpx.Client:  # noqa: ANN401 - httpx's own
    """A client for what is at this address and below. One that is no address is told when something is asked for.

    Raises:
        ProxyUnusable: the address is elsewhere, and the proxy on the way is none that httpx can use.
    """
    host = _host_of(url)
    if is_here(host):
        return httpx.Client(transport=httpx.HTTPTransport(limits=limits), **options)  # given one, it asks for no proxy
    try:
        return httpx.Client(limits=limits, **options)
    except (ImportError, ValueError) as error:
        raise ProxyUnusable(
            f"the proxy of the environment cannot be used: {error}\n"
            f"look at http_proxy, https_proxy and all_proxy, or name {host} in no_proxy"
        ) from error


def ask(method: str, url: str, *, timeout_s: float, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
    """One request. Raises HTTPError, InvalidURL, ProxyUnusable."""
    with client_of(url, timeout=timeout_s) as client:
        return client.request(method, url, **options)


def address_of(host: str, port: int) -> str:
    """Host and port as they stand in a URL; an IPv6 address is in brackets there."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host_of(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return ""


def is_here(host: str) -> bool:
    """Whether it is this machine by its loopback, or by the address that stands for all of its own."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified
