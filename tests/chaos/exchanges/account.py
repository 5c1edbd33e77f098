"""The ledgers of exchanges beside Kafka: each trade is in `trades` or told on `gaps`, and no other is."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from app.schema_registry import register_all
from app.settings import Settings
from app.units import SECOND_NS
from replay.faults import LAST_DAY_OF_2099_NS
from replay.trade import SimulatedTrade
from replay.venues import VenueName
from tests.chaos.exchanges.stormy_exchange import StormyExchange
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import POLL_S, Fields, decode, plain, told

GARBAGE_ID: Final = 10**9
"""What a simulated exchange adds to a trade's number to make one of 2099."""
HISTORY_RESOLUTION_NS: Final = {VenueName.BITSTAMP: SECOND_NS}
"""In which a history tells the time, where it does so less exactly than the stream."""
SHOWN: Final = 5
Key = tuple[str, str]


class Broken(Exception):
    """Kafka and a ledger differ; the message says in what."""


class Reader:
    """Reads a topic on from where it was."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._ids = register_all(settings)
        self._consumer = Consumer({**settings.kafka_config, "group.id": "account", "enable.auto.commit": False})
        self._topic = settings.topic(name)
        self._next = dict.fromkeys(self._consumer.list_topics(self._topic).topics[self._topic].partitions, 0)
        self._consumer.assign([TopicPartition(self._topic, number, 0) for number in self._next])

    def read(self) -> Iterator[tuple[str, Fields]]:
        """Record names and fields of what there is by now."""
        ends = {
            number: self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), WAIT_S)[1]
            for number in self._next
        }
        while any(self._next[number] < end for number, end in ends.items()):
            for message in self._consumer.consume(1_000, POLL_S):
                assert message.error() is None
                value = message.value()
                assert isinstance(value, bytes)
                self._next[message.partition() or 0] = (message.offset() or 0) + 1
                yield decode(value, self._ids)

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()


@dataclass
class Account:
    """One exchange's trades, and what became of each."""

    venue: StormyExchange
    made: dict[Key, SimulatedTrade]
    kept: set[Key]
    copies: Counter[Key] = field(default_factory=Counter)
    garbage: int = 0
    gaps: list[Fields] = field(default_factory=list)
    missing: set[Key] = field(init=False)
    """What is neither in Kafka nor told on `gaps`."""

    def __post_init__(self) -> None:
        """Nothing was read yet."""
        self.missing = set(self.made)

    @classmethod
    def of(cls, venue: StormyExchange) -> "Account":
        """An exchange that trades no more, before anything was read."""
        return cls(venue, venue.made(), venue.kept())

    def take(self, fields: Fields) -> None:
        """Book a trade of Kafka. Raises Broken when the exchange never made it, or not like this."""
        key = (fields["instrument"], fields["trade_id"])
        one = self.made.get(key)
        if one is None:
            self._take_garbage(key, fields)
            return
        if as_made(fields, one) != told(self._as_sent(one, fields)):
            raise Broken(f"{self.venue.name}: {dict(fields)} was made as {one}")
        self.copies[key] += 1
        self.missing.discard(key)

    def take_gap(self, gap: Fields) -> None:
        """Book what `gaps` tells."""
        self.gaps.append(gap)
        self.missing -= {key for key in self.missing if self._is_told_by(gap, key)}

    def judge(self) -> None:
        """Raises Broken where what is told as lost could have been had, or the other way round."""
        lost = self.made.keys() - self.copies.keys()
        if not self.venue.is_numbered:
            self._expect(not lost or self.venue.name is VenueName.BYBIT, "lost though the history has them", lost)
            return
        self._expect(lost <= self.made.keys() - self.kept, "lost though the history has them", lost & self.kept)
        told_lost = {key for key in self.made if self._is_told(key)}
        self._expect(told_lost == lost, "told as lost though they are not", told_lost - lost)

    def _expect(self, is_so: object, what: str, keys: Iterable[Key]) -> None:
        if not is_so:
            raise Broken(f"{self.venue.name}: trades {what}: {sorted(keys)[:SHOWN]}")

    def _is_told(self, key: Key) -> bool:
        return any(self._is_told_by(gap, key) for gap in self.gaps)

    def _is_told_by(self, gap: Fields, key: Key) -> bool:
        instrument, _ = key
        return bool(instrument == gap["instrument"]) and _covers(gap, self.made[key])

    def _as_sent(self, one: SimulatedTrade, fields: Fields) -> SimulatedTrade:
        resolution_ns = HISTORY_RESOLUTION_NS.get(self.venue.name, 1) if fields["source"] == "backfill" else 1
        return replace(one, event_time_ns=one.event_time_ns // resolution_ns * resolution_ns)

    def _take_garbage(self, key: Key, fields: Fields) -> None:
        """The bridge passes on a trade of 2099 as it came, for the fold to refuse."""
        if fields["event_time_ns"] != LAST_DAY_OF_2099_NS:
            raise Broken(f"{self.venue.name}: trade {key} of Kafka was never made: {dict(fields)}")
        self.garbage += 1


class Books:
    """The accounts of all exchanges of a run."""

    def __init__(self, settings: Settings, venues: Sequence[StormyExchange]) -> None:
        self.accounts = {account.venue.name: account for account in map(Account.of, venues)}
        self._trades, self._gaps = Reader(settings, "trades"), Reader(settings, "gaps")

    def read(self) -> int:
        """Book what has come to Kafka since; how many trades are still missing. Raises Broken."""
        for kind, fields in self._trades.read():
            if kind == "Trade":
                self.accounts[fields["venue"]].take(fields)
        for _, fields in self._gaps.read():
            self.accounts[fields["venue"]].take_gap(fields)
        return sum(len(account.missing) for account in self.accounts.values())

    def close(self) -> None:
        """Read no more."""
        self._trades.close()
        self._gaps.close()


def as_made(fields: Fields, one: SimulatedTrade) -> SimulatedTrade:
    """A trade of Kafka as the ledger would have it, under the number that the ledger has for its id."""
    amounts = plain(fields["price"]), plain(fields["size"])
    return SimulatedTrade(fields["instrument"], one.trade_id, *amounts, fields["aggressor"], fields["event_time_ns"])


def _covers(gap: Fields, one: SimulatedTrade) -> bool:
    if gap["first_missing_id"] is not None:
        return bool(gap["first_missing_id"] <= one.trade_id <= gap["last_missing_id"])
    return bool(gap["from_time_ns"] <= one.event_time_ns <= gap["to_time_ns"])
