"""Bars that overlap, and bars by an exchange's hours, from the log to every place where a user may look."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from app.settings import Settings
from app.units import SECOND_NS
from tests.integration.api_kit import BINANCE_BTC, Api, eventually, serving
from tests.integration.fold_kit import Tape, folding, read, read_bars, trade, wait_until_flushed, with_topics
from tests.integration.fold_oracle import Fields
from tests.integration.sql_kit import Database
from tests.parts import running

HOP: Final = "5m/1m"
VENUES: Final = "binance: {hours: {calendar: NASDAQ, bars: {1d: [regular], post: [post]}}}"
CLOSE_S: Final = -4_500  # 16:00 in New York: the tapes of the kit begin at 17:15, on a Tuesday
OVER_S: Final = 10_000  # after the end of post-market hours


def at(bar: Fields) -> str:
    """The window's start by UTC's clock."""
    return f"{datetime.fromtimestamp(int(bar['start_ns']) // SECOND_NS, UTC):%H:%M}"


def shown(bars: Iterable[Fields], interval: str) -> dict[str, tuple[str, int, Decimal]]:
    """By the window's start: state, trades and volume of the bar's last version."""
    return {
        at(bar): (str(bar["state"]), int(bar["trade_count"]), Decimal(bar["volume"]))
        for bar in bars
        if bar["interval"] == interval
    }


def final(trades: int) -> tuple[str, int, Decimal]:
    return "final", trades, trades * Decimal("0.5")


def by_rest(api: Api, interval: str) -> list[Fields]:
    answer = api.get("/api/v1/bars", **BINANCE_BTC, interval=interval)
    return list(answer.json()["bars"]) if answer.status_code == 200 else []


async def test_windows_that_overlap_and_an_exchanges_hours_come_to_topic_sql_rest_and_ws(
    settings: Settings, tmp_path: Path
) -> None:
    venues = tmp_path / "venues.yaml"
    venues.write_text(VENUES)
    own = {"intervals": ("1s", "1m", HOP, "1d"), "venues_file": venues, "session_timeout_ms": 2_000}
    settings = with_topics(settings.model_copy(update=own))
    tape = Tape(settings)
    for number, at_s in enumerate((CLOSE_S - 1, CLOSE_S, 0, 61), 1):
        tape.trade(trade(str(number), "100", at_s))
    tape.flush()
    with running("sink", settings), serving(settings) as api:
        with folding(settings) as worker:
            await asyncio.to_thread(wait_until_flushed, settings, worker)
            await asyncio.to_thread(eventually, lambda: "22:15" in shown(by_rest(api, HOP), HOP))
            worker.kill()
        async with api.ws() as client:
            assert {"1s", "1m", HOP, "1d", "post"} == set(client.hello["intervals"])
            forming = shown(await client.subscribe(HOP), HOP)
            assert forming["22:16"] == ("forming", 1, Decimal("0.5"))
            tape.clock(OVER_S)
            tape.flush()
            with folding(settings) as worker:
                updates: list[Fields] = []
                while not updates or at(updates[-1]) != "22:16" or updates[-1]["state"] != "final":
                    updates.append((await client.next("update"))["bar"])
                await asyncio.to_thread(wait_until_flushed, settings, worker)
        hopping = {f"22:{minute}": final(2 if 12 <= minute <= 15 else 1) for minute in range(11, 17)}
        close = {"20:55": final(1), **{f"20:{minute}": final(2) for minute in range(56, 60)}, "21:00": final(1)}
        expected = {HOP: close | hopping, "1d": {"14:30": final(1)}, "post": {"21:00": final(3)}}
        await every_place_shows(settings, tape, api, expected)
    assert shown(updates, HOP) == hopping
    keys = [record.key.split(b":") for record in read(settings, "bars") if record.key]
    assert {name.decode() for _, _, name, _ in keys} == {"1m", HOP, "1d", "post"}


async def every_place_shows(settings: Settings, tape: Tape, api: Api, expected: dict[str, Any]) -> None:
    """The same bars in the topic, in Postgres and by REST."""
    database = Database(settings)
    for interval, bars in expected.items():
        assert shown(read_bars(settings, tape.avro), interval) == bars
        await asyncio.to_thread(eventually, lambda name=interval, due=bars: shown(database.bars(), name) == due)
        assert shown(by_rest(api, interval), interval) == bars
