"""What a simulated packet feed sends, and when it ends."""

import itertools
import time
from pathlib import Path

import pytest

from app.units import DAY_NS, MINUTE_NS, SECOND_NS
from replay.ledger import Ledger, read_tape
from replay.packet_sources import MarketSource


async def test_a_market_ends_with_its_day(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    noon_ns = time.time_ns() // DAY_NS * DAY_NS + DAY_NS // 2
    monkeypatch.setattr(time, "time_ns", itertools.count(noon_ns, MINUTE_NS).__next__)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        source = MarketSource(("AAPL",), 1, "UTC", rate=None, messages=None, ledger=ledger)
        told = [message async for pack in source for message in pack]
    assert [message[11:12] for message in told[-3:]] == [b"M", b"E", b"C"], "it closes"
    times_ns = [int.from_bytes(message[5:11]) for message in told]
    assert times_ns[-1] > DAY_NS - MINUTE_NS
    assert max(times_ns[:-3]) < DAY_NS


async def test_a_market_that_begins_again_has_other_match_numbers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noon_ns = time.time_ns() // DAY_NS * DAY_NS + DAY_NS // 2
    monkeypatch.setattr(time, "time_ns", itertools.count(noon_ns, SECOND_NS // 100_000).__next__)
    taken: list[list[int]] = []
    for start in ("first", "second"):
        file = tmp_path / start
        with Ledger(file) as ledger:
            async for _ in MarketSource(("AAPL",), 1, "UTC", rate=None, messages=5_000, ledger=ledger):
                pass
        taken.append([entry.trade_id for entry in read_tape(file) if entry.action == "trade"])
    first, second = taken
    assert max(first) < min(second)
