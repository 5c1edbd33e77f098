"""Waiting until Postgres and the registry answer, and have all that a write needs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import psycopg
from sqlalchemy.exc import OperationalError

from agents.sink import metrics
from agents.sink.writer import DayAway
from app.schema_lookup import RegistryAway

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
AWAY: Final = (
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,  # we were frozen, and Postgres took the lock away
    psycopg.errors.ReadOnlySqlTransaction,  # for a while after a failover
    OperationalError,
    RegistryAway,
    DayAway,
)

T = TypeVar("T")


async def patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try until it goes well, at growing intervals; what waiting cannot mend is raised."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await attempt()
        except AWAY as error:
            log.warning("waiting %.1f s: %s", pause_s, str(error).strip().partition("\n")[0])
            metrics.AWAY.inc()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
