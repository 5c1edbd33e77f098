"""Which pages may open /ws. A browser opens it for the page of any site, and says by `Origin` whose the page is."""

import re
from collections.abc import Container
from typing import Final

PORTS: Final = {"http": 80, "https": 443}
"""Those that an address leaves out."""


def may_open(origin: str | None, host: str, others: Container[str]) -> bool:
    """Whether a page of this origin is one of the server that was asked as this host, or of the others.

    Programs say no origin, and open what they like: no page has them do so. What a proxy says of the host that it was
    asked as proves nothing, since anybody may say so.
    """
    if origin is None or origin in others:
        return True
    scheme, _, page = origin.partition("://")
    return page != "" and _with_port(page, scheme) == _with_port(host.lower(), scheme)


def _with_port(host: str, scheme: str) -> str:
    return host if re.search(r":\d+$", host) else f"{host}:{PORTS.get(scheme)}"
