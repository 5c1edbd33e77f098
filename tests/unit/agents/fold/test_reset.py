"""A reset of the fold whose broker goes away while it reads the state."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import TopicPartition
from faust.types import TP

from agents.fold.reset import reset_fold
from agents.reset import ResetRefused
from app.settings import Settings

SETTINGS = Settings(namespace="demo")
TRADES = "demo.trades"
CHANGELOG = TopicPartition("demo.fold-bars-changelog", 0)


class GoesAway:
    """A consumer whose broker tells where the changelog begins and ends, and nothing more."""

    def __init__(self) -> None:
        self._has_told = False

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self._has_told:
            raise KafkaTimeoutError
        self._has_told = True
        return dict.fromkeys(partitions, 9)

    def seek(self, _: TopicPartition, offset: int) -> None:
        assert offset == 0

    async def position(self, _: TopicPartition) -> int:
        return 0

    async def getmany(self, _: TopicPartition, **__: int) -> dict[TopicPartition, list[Any]]:
        return {}


def test_a_broker_that_goes_away_is_no_damaged_changelog_and_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @asynccontextmanager
    async def reader(*_: Any) -> AsyncIterator[tuple[GoesAway, TopicPartition]]:
        yield GoesAway(), CHANGELOG

    def nothing(*_: Any) -> None:
        """Keeps from resetting."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something is changed")

    topics = SimpleNamespace(topics={TRADES: SimpleNamespace(partitions=[0])})
    replaced = {
        "check_topics": nothing,
        "refuse_running": nothing,
        "epoch_of": lambda *_: "log",
        "admin_client": lambda _: SimpleNamespace(list_topics=lambda *_: topics),
        "log_bounds": lambda *_: {TP(TRADES, 0): (0, 9)},
        "partition_reader": reader,
        **dict.fromkeys(("Producer", "delete_before", "move_group"), refuse),
    }
    for name, other in replaced.items():
        monkeypatch.setattr(f"agents.fold.reset.{name}", other)
    with pytest.raises(ResetRefused, match=r"Kafka went away while .* was read, and nothing was changed"):
        list(reset_fold(SETTINGS))
