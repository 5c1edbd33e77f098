"""How long trades took by a flow, from when each was sent and when it was heard of."""

from collections.abc import Iterable, Mapping

from app.units import MILLISECOND_NS

TradeKey = tuple[str, int]
"""Canonical instrument and trade id."""
Times = Mapping[TradeKey, int]
"""Nanoseconds since 1970, by trade."""


def first_covering(covered: Iterable[tuple[str, int, int]], sent: Times) -> dict[TradeKey, int]:
    """For each trade the time of the first update whose last trade id is not below the trade's."""
    waiting: dict[str, list[int]] = {}
    for instrument, identity in sorted(sent, reverse=True):
        waiting.setdefault(instrument, []).append(identity)
    times = {}
    for instrument, last, now_ns in covered:
        identities = waiting.get(instrument, [])
        while identities and identities[-1] <= last:
            times[instrument, identities.pop()] = now_ns
    return times


def percentiles(flow: str, sent: Times, times: Times) -> dict[str, float | int | None]:
    """How many of the trades sent were heard of, and the milliseconds that took; names begin with the flow's."""
    taken = sorted((times[key] - sent_ns) / MILLISECOND_NS for key, sent_ns in sent.items() if key in times)
    found: dict[str, float | int | None] = {f"{flow}_trades": len(taken)}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        found[f"{flow}_{name}_ms"] = round(taken[int(len(taken) * share)], 2) if taken else None
    return found
