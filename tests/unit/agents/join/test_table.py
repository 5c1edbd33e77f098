"""The join's table where a log is damaged."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from agents.log_errors import CorruptRecords
from agents.quote_join import build_join
from agents.transport import RecordSet
from app.settings import Settings

if TYPE_CHECKING:
    from agents.join.table import JoinTable

TRADES, QUOTES = TP("test.trades", 0), TP("test.quotes", 0)


class Damaged:
    """A partition that comes to a batch whose end nobody can tell."""

    partition = 0
    trades = SimpleNamespace(tp=TRADES, flushed_offset=10)
    quotes = SimpleNamespace(tp=QUOTES, flushed_offset=20)

    async def take(self, _: RecordSet) -> None:
        raise CorruptRecords("test.trades partition 0 offset 10: its length is wrong")

    async def close(self) -> None:
        """Nothing is held."""


def left_alone() -> list[float | None]:
    labels = ({"topic": tp.topic, "partition": str(tp.partition)} for tp in (TRADES, QUOTES))
    return [REGISTRY.get_sample_value("livetape_join_left_alone", each) for each in labels]


async def test_a_partition_that_is_joined_no_further_is_told_until_it_is_another_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(*_: object) -> None:
        """Is fetched."""

    app = build_join(Settings(namespace="test"))
    consumer = SimpleNamespace(assignment=set, pause_partitions=nothing, resume_partitions=nothing)
    monkeypatch.setattr(app, "consumer", consumer)
    table = cast("JoinTable", app.tables["quotes"])
    damaged: Any = Damaged()
    table._partitions[0] = damaged
    await table.take(RecordSet(*TRADES, b"", 10, 20))
    assert left_alone() == [1, 1]
    await table.revoked()
    assert left_alone() == [None, None]
