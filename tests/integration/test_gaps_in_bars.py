"""Simulated exchange → bridge → fold: what bars say is missing where the stream left trades out.

The expected bars are counted from what the exchange made and what of it nobody can have, window by window.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.intervals import duration_ns
from app.settings import Settings
from app.sources import Writer
from local import certificates
from replay.trade import SimulatedTrade
from tests import parts
from tests.integration.api_kit import eventually
from tests.integration.bridge_kit import bridge_settings
from tests.integration.bridge_run import running, trade
from tests.integration.fold_kit import Avro, read_bars

INTERVALS = ("1s", "5s", "1m")
MADE = [trade(number) for number in range(1, 91)]
LEFT_OUT = range(4, 24)
BEFORE, DURING, BEHIND = MADE[:3], MADE[3:40], MADE[40:]


class Key(NamedTuple):
    """A window of the only instrument."""

    interval: str
    start_ns: int


class Counted(NamedTuple):
    """What a bar counts."""

    trades: int
    first_id: str
    last_id: str
    missing: int


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    return bridge_settings(settings, tmp_path).model_copy(update={"intervals": INTERVALS})


def expected(accepted: Iterable[SimulatedTrade]) -> dict[Key, Counted]:
    """The bars that the newest of these trades makes final. An id between two of them is missing from every window
    that has one of the two, or is between them."""
    trades = sorted(accepted, key=lambda one: one.trade_id)
    gaps = [(low, high) for low, high in pairwise(trades) if high.trade_id - low.trade_id > 1]
    windows: defaultdict[Key, list[SimulatedTrade]] = defaultdict(list)
    for interval in INTERVALS:
        for one in trades:
            windows[Key(interval, one.event_time_ns // duration_ns(interval) * duration_ns(interval))].append(one)
    settled_ns = trades[-1].event_time_ns - 2 * duration_ns("1s")  # out of order by a second, and a second of grace
    return {
        key: Counted(
            len(within),
            str(within[0].trade_id),
            str(within[-1].trade_id),
            sum(
                high.trade_id - low.trade_id - 1
                for low, high in gaps
                if low.event_time_ns < key.start_ns + duration_ns(key.interval) and high.event_time_ns >= key.start_ns
            ),
        )
        for key, within in windows.items()
        if key.start_ns + duration_ns(key.interval) <= settled_ns
    }


class Bars:
    """The final bars in the topics."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._avro = Avro(settings)

    def versions(self) -> list[tuple[Key, Counted]]:
        """Every version of every bar, in order."""
        return [(Key(bar["interval"], bar["start_ns"]), counted(bar)) for bar in read_bars(self._settings, self._avro)]

    async def become(self, wanted: Mapping[Key, Counted]) -> None:
        """Wait until the last versions are these, for as many bars as are told."""
        await self.until(lambda last: wanted.items() <= last.items())

    async def until(self, holds: Callable[[dict[Key, Counted]], bool]) -> None:
        """Wait until something holds of the last versions."""
        await asyncio.to_thread(eventually, lambda: holds(dict(self.versions())), lambda: str(self.versions()))


def counted(bar: Mapping[str, Any]) -> Counted:
    return Counted(bar["trade_count"], bar["first_trade_id"], bar["last_trade_id"], bar["missing"])


async def test_bars_behind_a_gap_wait_for_it_and_are_complete_at_once(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        bars = Bars(here)
        with parts.running("worker", here):
            await run.play(*BEFORE)
            run.exchange.faults.skip(len(LEFT_OUT))
            run.say(*DURING, *BEHIND)
            await run.has(len(MADE))
            await bars.become(expected(MADE))
        assert {of.missing for _, of in bars.versions()} == {0}


async def test_bars_that_are_final_before_a_gap_is_filled_are_completed(
    here: Settings, certs: certificates.Certificates
) -> None:
    known = [one for one in MADE if one.trade_id not in LEFT_OUT]
    async with running(here, certs, writer=Writer.RELAY) as run:
        bars = Bars(here)
        with parts.running("worker", here):
            await run.play(*BEFORE)
            run.exchange.faults.refuse(10**6)
            run.exchange.faults.skip(len(LEFT_OUT))
            run.say(*DURING)
            await bars.become(expected(one for one in known if one in [*BEFORE, *DURING]))
            assert len(LEFT_OUT) in {of.missing for _, of in bars.versions()}
            run.exchange.faults.relent()
            run.say(*BEHIND)
            await run.has(len(MADE))
            await bars.become(expected(MADE))
        assert {of.missing for of in dict(bars.versions()).values()} == {0}


async def test_bars_say_how_many_trades_are_lost(here: Settings, certs: certificates.Certificates) -> None:
    async with running(here, certs) as run:
        bars = Bars(here)
        with parts.running("worker", here):
            await run.play(*BEFORE)
            run.exchange.faults.lose(len(LEFT_OUT))
            run.say(*DURING, *BEHIND)
            await run.bridge.counts('gaps_total{venue="binance"}', 1)
            await bars.become(expected(one for one in MADE if one.trade_id not in LEFT_OUT))
