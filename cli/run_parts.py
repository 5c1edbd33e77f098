"""The processes that a run is made of, beside servers and exchanges."""

import sys

import httpx

from app.http_client import address_of, ask
from app.intervals import COMPARED
from app.settings import Settings
from app.sources import PacketFeed, VenueConfig, Writer
from cli.supervisor import Part
from local.process import Command

STOP_TIMEOUT_S = 10.0
ANSWER_S = 5.0
"""How long the API may take for an answer."""


def parts_of(settings: Settings) -> list[Part]:
    """Bridge, relay where a venue or packet feed has it, fold, SQL sink, API and, where it can be, the bars' check."""

    def part(name: str, command: str, *, is_source: bool = False) -> Part:
        return Part(name, livetape(settings, command), settings.logs_dir / f"{command}.log", is_source=is_source)

    api = Part(
        "API", livetape(settings, "serve"), settings.logs_dir / "api.log", lambda: _is_ok(f"{api_url(settings)}/readyz")
    )
    sources: list[VenueConfig | PacketFeed] = [*settings.venues.values(), *settings.packet_feeds.values()]
    has_relay = any(source.writer is Writer.RELAY for source in sources)
    relay = [part("relay", "relay", is_source=True)] if has_relay else []
    bridges = [part("bridge", "bridge", is_source=True), *relay]
    check = [part("candle check", "reconcile")] if COMPARED in settings.intervals else []
    return [*bridges, part("fold", "worker"), part("SQL sink", "sink"), api, *check]


def livetape(settings: Settings, *arguments: str) -> Command:
    """A command of livetape's own, for a process with these settings."""
    return Command([sys.executable, "-m", "cli", *arguments], settings.environment(), stop_timeout_s=STOP_TIMEOUT_S)


def api_url(settings: Settings) -> str:
    """Where the API, and the page, are served."""
    return f"http://{address_of(settings.api_host, settings.api_port)}"


def _is_ok(url: str) -> bool:
    try:
        return ask("GET", url, timeout_s=ANSWER_S).is_success
    except httpx.HTTPError:
        return False
