"""Teaches the kernel the schemas that it meets in `trades`."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final
from weakref import WeakValueDictionary

from faust.types import TP

from agents.kernel import IncompatibleSchema, WriterSchemas
from app.records import BadRecord
from app.schema_lookup import RegistryAway, RegistrySchemas
from app.schema_registry import own_schemas
from app.settings import Settings

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
ASKING: Final = 2
"""How many questions a registry is asked at once: each holds a thread for as long as it hangs, and threads are few."""
UNKNOWN_S: Final = 3.0
"""How long an id that the registry did not know stays refused: it may be registered after its first record came."""


def know_own(settings: Settings, schemas: WriterSchemas, ids: Mapping[str, int], *records: str) -> None:
    """Teach the kernel our own schemas of these records: nobody need be asked for them, who may be away."""
    for schema in own_schemas(settings):
        if schema.record in records:
            schemas.add(ids[schema.record], schema.text)


class WriterSchemaLookup:
    """Asks the registry for a writer's schema once; an unknown or unusable one makes dead letters of its records."""

    def __init__(self, settings: Settings, schemas: WriterSchemas, own_id: int) -> None:
        """`own_id` is of a schema that the registry has."""
        self._registry = RegistrySchemas(settings, own_id)
        self._schemas = schemas
        self._asking = asyncio.Semaphore(ASKING)
        self._asking_for: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def learn(self, schema_id: int, tp: TP) -> None:
        """Add or refuse the schema of a record of this partition.

        Waits while the registry is away: not knowing is no reason to refuse.
        """
        while True:
            try:
                schema_json = await self._ask(schema_id)
            except RegistryAway as error:
                waits = "%s partition %d waits for schema id %d: %s; asking again in %.0f s"
                log.warning(waits, *tp, schema_id, error, RETRY_S)
                await asyncio.sleep(RETRY_S)
            except BadRecord as error:
                self._schemas.refuse(schema_id, str(error))
                asyncio.get_running_loop().call_later(UNKNOWN_S, self._schemas.forget, schema_id)
                return
            else:
                self._add(schema_id, schema_json)
                return

    async def _ask(self, schema_id: int) -> str:
        lock = self._asking_for.setdefault(schema_id, asyncio.Lock())
        async with lock, self._asking:  # all partitions meet it at once; once it is told the next ones know it
            return await asyncio.to_thread(self._registry, schema_id)

    def _add(self, schema_id: int, schema_json: str) -> None:
        try:
            self._schemas.add(schema_id, schema_json)
        except IncompatibleSchema as error:
            self._schemas.refuse(schema_id, f"schema id {schema_id}: {error}")
