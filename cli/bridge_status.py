"""What the bridge reads, as it says itself in its metrics."""

from collections import defaultdict

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Column, Table

from app.http_client import ask

ANSWER_S = 2.0
PREFIX = "livetape_bridge_"
SHOWN = {
    "connected": "connections",
    "trades": "trades",
    "least_lag_seconds": "least lag",
    "clock_offset_seconds": "clock ahead by",
}
"""Metrics by what they are called in the table."""


def bridge_table(metrics: str) -> Table | None:
    """A table of the venues that a bridge with this /metrics text reads; none where it reads none."""
    venues: dict[str, dict[str, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(metrics):
        name = family.name.removeprefix(PREFIX)
        if name in SHOWN:
            for sample in family.samples:
                venues[sample.labels["venue"]][name] = sample.value
    if not venues:
        return None
    numbers = (Column(title, justify="right") for title in SHOWN.values())
    table = Table("venue", *numbers, box=None, pad_edge=False, header_style="bold")
    for venue, values in venues.items():
        table.add_row(venue, *(_text(name, values.get(name)) for name in SHOWN))
    return table


def read_metrics(address: str) -> str | None:
    """The text at this address; none where nobody answers."""
    try:
        return ask("GET", f"http://{address}/metrics", timeout_s=ANSWER_S).raise_for_status().text
    except httpx.HTTPError:
        return None


def _text(name: str, value: float | None) -> str:
    if value is None:
        return "[dim]not known yet[/]"
    return f"{value * 1_000:,.1f} ms" if name.endswith("_seconds") else f"{value:,.0f}"
