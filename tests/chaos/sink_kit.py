"""What the chaos tests of the SQL sink share: a seeded tape of every topic it reads, and what the tables must hold.

The expected rows come from the records as they were made, and the ends of the logs from a stock consumer.
"""

import itertools
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from app import topic_admin
from app.settings import Settings
from tests.integration.api_kit import WAIT_S, Fields, bar, eventually
from tests.integration.sql_kit import NOON_S, Database, Tape, gap, trade
from tests.parts import Part

TOPICS: Final = ("trades", "bars", "bars.1s", "gaps")
PARTITIONS: Final = 4
CHUNK: Final = 10_000


class Market:
    """Writes slices of a tape and remembers what is due for them. No two runs of a seed differ."""

    def __init__(self, settings: Settings, seed: int) -> None:
        topic_admin.apply(settings)
        self.chance = random.Random(seed)  # noqa: S311 - no secret, and the same tape in every run
        self._settings = settings
        self._tape = Tape(settings)
        self._numbers = itertools.count(1)
        self.trades: dict[str, Fields] = {}
        self.revisions: dict[tuple[str, int], list[Fields]] = {}
        self.gaps: list[tuple[int, int]] = []
        self.dead: list[bytes] = []

    def write(self, trades: int = 4_000) -> None:
        """Write trades with repeats, bars with revisions, a transaction that is given up, a gap and garbage."""
        for partition in range(PARTITIONS):
            new = [self._trade() for _ in range(trades // PARTITIONS)]
            again = self.chance.sample(list(self.trades.values()), min(len(self.trades), len(new) // 10))
            self.trades |= {fields["trade_id"]: fields for fields in new}
            self._tape.trades([*new, *again, *new[-5:]], partition)
        self._tape.bars([self._bar() for _ in range(50)])
        self._tape.bars([bar(NOON_S, seq=0, close="666", interval="5m")], commit=False)
        self._tape.bars([self._bar() for _ in range(50)])
        self.gaps.append((next(self._numbers), next(self._numbers)))
        self._tape.gaps([gap(*self.gaps[-1])])
        self.dead.append(self._tape.corrupt_trade(self.chance.randrange(PARTITIONS)))

    def flood(self, times: int) -> None:
        """Write one new trade so many times."""
        fields = self._trade()
        self.trades[fields["trade_id"]] = fields
        for _ in range(times // CHUNK):
            self._tape.repeat(fields, CHUNK, self.chance.randrange(PARTITIONS))

    def log_ends(self) -> dict[tuple[str, int], int]:
        """Where the log of each partition ends."""
        return log_ends(self._settings)

    def check(self, database: Database) -> None:
        """Compare every table with what was written."""
        assert database.trades() == self.trades
        assert database.count("trade") == len(self.trades)
        by_key = [self.revisions[key] for key in sorted(self.revisions)]
        assert database.bars() == [versions[-1] for versions in by_key]
        assert database.bars("bar_revision") == [fields for versions in by_key for fields in versions]
        gaps = database.rows("SELECT first_missing_id, last_missing_id FROM gap")
        assert sorted(gaps) == self.gaps
        letters = database.rows("SELECT value FROM dead_letter")
        assert sorted(value for (value,) in letters) == sorted(self.dead)
        assert stored(database) == self.log_ends()

    def _trade(self) -> Fields:
        number = next(self._numbers)
        price, size = (Decimal(self.chance.randrange(1, 10**24)).scaleb(-18) for _ in range(2))
        at_s = NOON_S + self.chance.randrange(3 * 86_400)
        return trade(number, price=str(price), size=str(size), at_s=at_s)

    def _bar(self) -> Fields:
        interval = self.chance.choice(["1s", "1m"])
        start_s = NOON_S + 60 * self.chance.randrange(100)
        versions = self.revisions.setdefault((interval, start_s), [])
        close = str(self.chance.randrange(1, 10**6))
        versions.append(bar(start_s, seq=next(self._numbers), close=close, interval=interval, revision=len(versions)))
        return versions[-1]


def log_ends(settings: Settings) -> dict[tuple[str, int], int]:
    """Where the log of each partition that the sink reads ends, for a consumer that reads what is committed."""
    consumer = Consumer({**settings.kafka_config, "group.id": "ends", "isolation.level": "read_committed"})
    try:
        consumer.list_topics(timeout=WAIT_S)  # else a busy broker's partitions are not known yet
        tps = [(settings.topic(topic), partition) for topic in TOPICS for partition in range(PARTITIONS)]
        return {tp: consumer.get_watermark_offsets(TopicPartition(*tp), timeout=WAIT_S)[1] for tp in tps}
    finally:
        consumer.close()


def stored(database: Database) -> dict[tuple[str, int], int]:
    """How far each partition is stored."""
    rows = database.rows("SELECT topic, partition, next_offset FROM stream_offset")
    return {(topic, partition): next_offset for topic, partition, next_offset in rows}


def wait_for(database: Database, offsets: int, *sinks: Part) -> None:
    """Wait until so many offsets of all partitions together are stored."""
    wait_until(lambda: sum(stored(database).values()) >= offsets, *sinks)


def wait_until(condition: Callable[[], bool], *sinks: Part) -> None:
    """Wait until a condition holds; tell what the sinks printed when it never does."""
    eventually(condition, lambda: "\n".join(sink.printed for sink in sinks))


def finish(market: Market, database: Database, *sinks: Part) -> None:
    """Wait until all there is is stored, and compare it."""
    ends = market.log_ends()
    wait_until(lambda: stored(database) == ends, *sinks)
    market.check(database)
