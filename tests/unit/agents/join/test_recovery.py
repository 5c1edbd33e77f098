"""A partition of the join comes back while its logs begin later than what is to be read of them again."""

from collections.abc import Collection
from typing import Any

import pytest
from faust.types import TP

from agents.epoch import EpochMismatch
from agents.join.recovery import RecoveredJoin, make_join_setup, recover_join
from agents.kernel import QuoteJoin
from app.settings import Settings
from tests.unit.agents.kernel.join_kit import PARTITION, QUOTES_EPOCH, TRADES_EPOCH, batch_of, new_join
from tests.unit.agents.kernel.partition_kit import records_in
from tests.unit.agents.kernel.record_sets import NONE, KafkaRecord, record_batch
from tests.unit.agents.kernel.test_join_by_hand import RULES, clock, quote, tick

SETTINGS = Settings()
TRADES, QUOTES = (TP(SETTINGS.topic(name), PARTITION) for name in ("trades", "quotes"))
EPOCHS = {TRADES.topic: TRADES_EPOCH, QUOTES.topic: QUOTES_EPOCH}


class NoWriter:
    """Fences nobody."""

    def __init__(self, *_: Any) -> None:
        pass

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


def state() -> bytes:
    """A changelog by which the trades 0 and 1 wait, and the quotes 0 and 1 are to be read again; both logs reach 3."""
    join = new_join(RULES)
    join.take_trades(batch_of([tick(0, 10), tick(1, 11), clock(2, 100)], NONE), [], 0)
    join.take_quotes(batch_of([quote(0, 9), quote(1, 9), clock(2, 9)], NONE), [], 0)
    records = records_in(join.take_flush().changelog)
    return record_batch(0, [KafkaRecord(key, value) for key, value in records])


async def recovered(monkeypatch: pytest.MonkeyPatch, trades: tuple[int, int], quotes: tuple[int, int]) -> RecoveredJoin:
    """The join on logs that begin and end there."""
    bounds = {TRADES: trades, QUOTES: quotes}

    async def restore(_: Settings, partition: int, join: QuoteJoin) -> None:
        assert partition == PARTITION
        join.restore(state(), [], 0)

    def bounds_of(_: Settings, asked: Collection[TP]) -> dict[TP, tuple[int, int]]:
        return {tp: bounds[tp] for tp in asked}

    monkeypatch.setattr("agents.join.recovery.JoinWriter", NoWriter)
    monkeypatch.setattr("agents.join.recovery.epoch_of", lambda _, topic: EPOCHS[topic])
    monkeypatch.setattr("agents.join.recovery.log_bounds", bounds_of)
    monkeypatch.setattr("agents.join.recovery.restore", restore)
    return await recover_join(make_join_setup(SETTINGS, {"livetape.Joined": 1}), PARTITION)


@pytest.mark.parametrize(("first", "goes_on_at"), [(0, 0), (1, 3), (3, 3)])
async def test_quotes_that_are_gone_by_retention_but_were_taken_keep_no_join_from_going_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, first: int, goes_on_at: int
) -> None:
    join = await recovered(monkeypatch, (0, 5), (first, 3))
    assert (join.trades_offset, join.quotes_offset) == (0, goes_on_at)
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == (first > 0)
    assert all(f"{first} records that trades could still ask for are gone" in message for message in told)


@pytest.mark.parametrize(("first", "goes_on_at"), [(1, 1), (2, 3), (3, 3)])
async def test_trades_that_waited_and_are_gone_by_retention_are_told_and_the_join_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, first: int, goes_on_at: int
) -> None:
    join = await recovered(monkeypatch, (first, 3), (0, 3))
    assert (join.trades_offset, join.quotes_offset) == (goes_on_at, 0)
    (told,) = (record.message for record in caplog.records if record.levelname == "WARNING")
    assert f"{min(first, 2)} trades that waited for their quotes are gone" in told


@pytest.mark.parametrize(
    ("trades", "quotes", "reason"),
    [
        ((4, 5), (0, 3), f"{TRADES.topic} begins at offset 4, and what is stored has come to 3 only"),
        ((0, 3), (4, 5), f"{QUOTES.topic} begins at offset 4, and what is stored has come to 3 only"),
        ((0, 2), (0, 3), f"{TRADES.topic} ends at offset 2"),
        ((0, 3), (0, 2), f"{QUOTES.topic} ends at offset 2"),
    ],
)
async def test_records_that_were_never_taken_and_logs_that_were_cut_are_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, trades: tuple[int, int], quotes: tuple[int, int], reason: str
) -> None:
    with pytest.raises(EpochMismatch, match=reason) as refused:
        await recovered(monkeypatch, trades, quotes)
    assert "livetape reset --join" in str(refused.value)
