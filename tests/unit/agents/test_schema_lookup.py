"""Schemas that are asked for by several partitions at once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from faust.types import TP

from agents import schema_lookup
from agents.kernel import WriterSchemas
from agents.schema_lookup import WriterSchemaLookup
from app.schema_lookup import RegistryAway
from app.settings import Settings
from tests.unit.agents.kernel.partition_kit import schema_text

GUARD_S = 120.0
TOLD, NOT_TOLD = 7, 8
FIRST, SECOND = TP("trades", 0), TP("trades", 1)


class Lookup(WriterSchemaLookup):
    """Asks a registry that tells one schema, and of another one that it cannot now."""

    def __init__(self) -> None:
        self.schemas = WriterSchemas()
        super().__init__(Settings(), self.schemas, TOLD)
        self.asked_in_vain = asyncio.Event()
        is_in_vain = self._asked_in_vain(asyncio.get_running_loop())
        self._registry: Any = lambda schema_id: schema_text("trade") if schema_id == TOLD else is_in_vain()

    def _asked_in_vain(self, loop: asyncio.AbstractEventLoop) -> Callable[[], str]:
        def ask() -> str:
            loop.call_soon_threadsafe(self.asked_in_vain.set)
            raise RegistryAway("503")

        return ask


async def test_a_schema_that_is_waited_for_holds_up_no_other_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schema_lookup, "RETRY_S", 2 * GUARD_S)
    lookup = Lookup()
    waiting = asyncio.create_task(lookup.learn(NOT_TOLD, FIRST))
    async with asyncio.timeout(GUARD_S):
        await lookup.asked_in_vain.wait()
        await lookup.learn(TOLD, SECOND)
    assert not waiting.done()
    waiting.cancel()
    assert caplog.messages == ["trades partition 0 waits for schema id 8: 503; asking again in 240 s"]
