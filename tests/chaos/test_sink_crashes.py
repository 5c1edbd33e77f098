"""The SQL sink is killed and frozen, and the tables hold what the topics hold: nothing lost, nothing doubled."""

import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from app.settings import CRASH_AT, Settings
from tests.chaos.sink_kit import Market, finish, stored, wait_for, wait_until
from tests.integration.sql_kit import Database
from tests.parts import Part, running

T = TypeVar("T")

SEED = 20_261_123
KILLS = 10
TAPES = 2
POINTS = ["during-recovery", "mid-flush", "before-commit", "after-commit"]

# What a session does that has locked rows of `stream_offset` and not ended its transaction.
LOCKING = """
    SELECT state FROM pg_stat_activity JOIN pg_locks USING (pid)
    WHERE relation = 'stream_offset'::regclass AND mode = 'RowShareLock' AND granted
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Quick to notice a death, and a transaction as often as can be: the most chances to be hit inside one."""
    return settings.model_copy(update={"session_timeout_ms": 6_000, "sink_flush_ms": 5})


def side_by_side(survive: Callable[[T], None], cases: Iterable[T]) -> None:
    """Run cases at once: most of what they take is waiting for Kafka to notice a death."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(survive, case) for case in cases]:
            done.result()


def test_kills_at_random_moments_lose_and_double_nothing(settings: Settings) -> None:
    def survive(tape: int) -> None:
        own = settings.model_copy(update={"namespace": f"{settings.namespace}-{tape}"})
        market, database = Market(own, SEED + tape), Database(own)
        for _ in range(KILLS // TAPES):
            before = sum(stored(database).values())
            with running("sink", own) as sink:
                market.write()
                ahead = sum(market.log_ends().values()) - before
                wait_for(database, before + market.chance.randrange(ahead), sink)
                sink.kill()
        with running("sink", own) as sink:
            market.write()
            finish(market, database, sink)

    side_by_side(survive, range(TAPES))


def test_a_kill_at_any_named_point_loses_and_doubles_nothing(settings: Settings) -> None:
    def survive(point: str) -> None:
        own = settings.model_copy(update={"namespace": f"{settings.namespace}-{point}"})
        market, database = Market(own, SEED), Database(own)
        market.write()
        with running("sink", own, **{CRASH_AT: f"{point}:2"}) as sink:
            assert sink.wait() == -signal.SIGKILL, sink.printed
        with running("sink", own) as sink:
            market.write()
            finish(market, database, sink)

    side_by_side(survive, POINTS)


def test_a_zombie_that_held_the_lock_loses_and_doubles_nothing_and_works_again(settings: Settings) -> None:
    market, database = Market(settings, SEED + 2), Database(settings)
    with running("sink", settings) as zombie:
        market.write(20_000)
        wait_for(database, 1, zombie)
        freeze_in_transaction(zombie, database)
        market.write()
        with running("sink", settings) as second:
            finish(market, database, second, zombie)
            zombie.thaw()
            market.write()
            finish(market, database, second, zombie)
        market.write()
        finish(market, database, zombie)


def freeze_in_transaction(sink: Part, database: Database) -> None:
    """Stop a sink at a moment at which it holds the lock of `stream_offset` and Postgres waits for its next word."""

    def caught() -> bool:
        if not database.rows(LOCKING):
            return False
        sink.freeze()
        wait_until(lambda: ("active",) not in database.rows(LOCKING), sink)
        if database.rows(LOCKING):
            return True
        sink.thaw()
        return False

    wait_until(caught, sink)
