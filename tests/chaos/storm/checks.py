"""Whether the bars in every place equal the plain recomputation from the log. Each check gives a line a difference."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import httpx
from websockets.sync.client import connect

from app.settings import Settings
from app.views import RING_BARS
from tests.chaos.storm import changelog
from tests.integration.api_kit import shown, text
from tests.integration.fold_kit import PARTITIONS, Stored, Tape, read
from tests.integration.fold_oracle import BarKey, Fields, PartitionOracle, differences, key_of
from tests.integration.sql_kit import Database

WAIT_S: Final = 30.0
PAGE_BARS: Final = 5_000
SHOWN_AMOUNTS: Final = (
    "open", "high", "low", "close", "volume", "buy_volume", "sell_volume", "notional", "squared_returns",
)  # fmt: skip
SHOWN_OF_FORMING: Final = (*SHOWN_AMOUNTS, "trade_count", "missing", "first_trade_id", "last_trade_id", "state")
OF_A_TRADE: Final = (
    "venue", "instrument", "trade_id", "price", "size", "event_time_ns", "aggressor", "partition", "offset",
)  # fmt: skip
OF_A_CORRECTION: Final = (*OF_A_TRADE, "action", "refers_to")
Series = tuple[str, str, str]


class Ledger:
    """All that came into the log and out of the fold so far; each record is read once."""

    def __init__(self, settings: Settings, tape: Tape) -> None:
        self.settings = settings
        self.avro = tape.avro
        self.oracles = [PartitionOracle(settings, number) for number in range(PARTITIONS)]
        self.trades: dict[tuple[str, str, str], Fields] = {}
        self.corrections: dict[tuple[int, int], Fields] = {}
        """By partition and offset: what corrects or cancels a trade, as often as it came."""
        self.published: list[Fields] = []
        self.outputs: dict[str, list[Stored]] = {"late": [], "trades.dead": []}
        self._next: dict[str, dict[int, int]] = defaultdict(dict)
        self._log: dict[tuple[int, int], bytes | None] = {}

    def read_on(self) -> None:
        """Read what is new, and compute what it asks for."""
        for record in self._new("trades"):
            self._take(record)
        for topic in ("bars.1s", "bars"):
            self.published += [self.avro.read(record.value or b"")[1] for record in self._new(topic)]
        for topic in self.outputs:
            self.outputs[topic] += self._new(topic)

    def latest(self) -> dict[BarKey, Fields]:
        """The newest version of each bar that is final, as it was published."""
        return {key_of(bar): bar for bar in self.published}

    def forming(self) -> dict[BarKey, Fields]:
        """The bars that are not final yet."""
        return {key: bar for oracle in self.oracles for key, bar in oracle.forming().items()}

    def late(self) -> Counter[tuple[int, bytes | None]]:
        """Partition and value of each trade that is beyond the horizon."""
        return Counter((number, self._log[number, at]) for number, one in enumerate(self.oracles) for at in one.late)

    def dead(self) -> Counter[tuple[int, int]]:
        """Partition and offset of each correction that has nothing to correct."""
        return Counter((number, at) for number, one in enumerate(self.oracles) for at in one.dead)

    def ends(self) -> dict[int, int]:
        """Where each partition of the log ends."""
        return {number: self._next["trades"].get(number, 0) for number in range(PARTITIONS)}

    def counts(self) -> dict[str, int]:
        """How much there is to compare."""
        finals, forming = len(self.latest()), len(self.forming())
        return {
            "versions of bars in topics and SQL": len(self.published),
            "final bars in topics, SQL and the view": finals,
            "forming bars in the changelog and the view": forming,
            "trades in SQL": len(self.trades),
            "corrections and cancellations in SQL": len(self.corrections),
            "of them carried out": sum(len(oracle.corrected) for oracle in self.oracles),
            "dead letters": self.dead().total(),
            "late trades": self.late().total(),
            "duplicates in the log": sum(len(oracle.duplicates) for oracle in self.oracles),
        }

    def _new(self, topic: str) -> list[Stored]:
        records = read(self.settings, topic, self._next[topic])
        self._next[topic] |= {record.partition: record.offset + 1 for record in records}
        return records

    def _take(self, record: Stored) -> None:
        self._log[record.partition, record.offset] = record.value
        name, fields = self.avro.read(record.value or b"")
        oracle = self.oracles[record.partition]
        if name == "Clock":
            oracle.clock(record.offset, fields)
            return
        oracle.trade(record.offset, fields)
        place = {"partition": record.partition, "offset": record.offset}
        if fields["action"] == "trade":
            self.trades.setdefault(_trade_key(fields), {**fields, **place})
        else:
            self.corrections[record.partition, record.offset] = {**fields, **place}


def check_topics(ledger: Ledger) -> Iterator[str]:
    """`bars`, `bars.1s`, `late` and `trades.dead` are what the log asks for, each version once and in order."""
    yield from differences(ledger.published, ledger.oracles)
    late = Counter((record.partition, record.value) for record in ledger.outputs["late"])
    yield from _compare_counts("late trade", ledger.late(), late)
    dead = Counter((record.partition, int(record.headers["offset"])) for record in ledger.outputs["trades.dead"])
    yield from _compare_counts("dead letter", ledger.dead(), dead)


def check_changelog(ledger: Ledger) -> Iterator[str]:
    """The state that a worker would start from has come to the log's end, and has the forming bars that are due."""
    forming, next_offsets = asyncio.run(changelog.restored(ledger.settings, ledger.avro))
    if next_offsets != ledger.ends():
        yield f"progress is {next_offsets}, the log's ends are {ledger.ends()}"
    wanted = ledger.forming()
    yield from _compare(wanted, {key: _named(bar, wanted.get(key, bar)) for key, bar in forming.items()})


def check_sql(ledger: Ledger, database: Database) -> Iterator[str]:
    """`bar` has each bar's newest version, `bar_revision` all, `trade` each trade as it came first, corrections all."""
    versions = {(key_of(bar), bar["revision"]): bar for bar in ledger.published}
    stored = database.bars("bar_revision")
    yield from _compare(versions, {(key_of(bar), bar["revision"]): bar for bar in stored}, len(stored))
    stored = database.bars()
    yield from _compare(ledger.latest(), {key_of(bar): bar for bar in stored}, len(stored))
    stored = database.table("trade", OF_A_TRADE)
    trades = {key: _named(trade, OF_A_TRADE) for key, trade in ledger.trades.items()}
    yield from _compare(trades, {_trade_key(trade): trade for trade in stored}, len(stored))
    stored = database.table("trade_correction", OF_A_CORRECTION)
    corrections = {place: _named(fields, OF_A_CORRECTION) for place, fields in ledger.corrections.items()}
    yield from _compare(corrections, {(each["partition"], each["offset"]): each for each in stored}, len(stored))


def check_view(ledger: Ledger, url: str) -> Iterator[str]:
    """REST has every bar of every series, and the snapshot of `/ws` the newest of them, forming ones among them."""
    expected = _by_series(ledger)
    with httpx.Client(base_url=url, timeout=WAIT_S) as http, connect(f"{url.replace('http', 'ws')}/ws") as websocket:
        for series, bars in expected.items():
            yield from _compare_shown(f"REST {series}", bars, _pages(http, series))
            yield from _compare_shown(f"/ws {series}", bars[-RING_BARS:], _snapshot(websocket, series))


def _by_series(ledger: Ledger) -> dict[Series, list[Fields]]:
    """What the view should show of each series, oldest first."""
    bars = {key: shown(bar) for key, bar in ledger.latest().items()}
    bars |= {key: _shown_forming(key, bar) for key, bar in ledger.forming().items()}
    expected = defaultdict(list)
    for key in sorted(bars):
        expected[key.venue, key.instrument, key.interval].append(bars[key])
    return expected


def _shown_forming(key: BarKey, bar: Fields) -> Fields:
    amounts = {name: text(bar[name]) for name in SHOWN_AMOUNTS}
    fields = {**bar, **amounts, "state": "forming"}
    return {"start_ns": str(key.start_ns), **{name: fields[name] for name in SHOWN_OF_FORMING}}


def _pages(http: httpx.Client, series: Series) -> list[Fields]:
    query: dict[str, str | int] = dict(zip(("venue", "instrument", "interval"), series, strict=True))
    found: list[Fields] = []
    while True:
        answer = http.get("/api/v1/bars", params={**query, "limit": PAGE_BARS})
        page = answer.json().get("bars", [])
        found = page + found
        if len(page) < PAGE_BARS:
            return found
        query["end_ns"] = page[0]["start_ns"]


def _snapshot(websocket: Any, series: Series) -> list[Fields]:
    names = dict(zip(("venue", "instrument", "interval"), series, strict=True))
    websocket.send(json.dumps({"op": "subscribe", "channel": "bars", **names}))
    while True:
        message = json.loads(websocket.recv(WAIT_S))
        if message["type"] == "error":
            return []
        if message["type"] == "snapshot":
            bars: list[Fields] = message["bars"]
            return bars


def _compare_shown(where: str, expected: list[Fields], bars: Iterable[Fields]) -> Iterator[str]:
    by_start = {bar["start_ns"]: bar for bar in bars}
    wanted = {bar["start_ns"]: bar for bar in expected}
    found = {start: _named(bar, wanted.get(start, bar)) for start, bar in by_start.items()}
    for line in _compare(wanted, found):
        yield f"{where}: {line}"


def _compare(wanted: Mapping[Any, Fields], found: Mapping[Any, Fields], rows: int | None = None) -> Iterator[str]:
    if rows is not None and rows != len(found):
        yield f"{rows} rows have {len(found)} keys"
    for key in wanted.keys() | found.keys():
        if wanted.get(key) != found.get(key):
            yield f"{key}: found {found.get(key)}, expected {wanted.get(key)}"


def _compare_counts(what: str, wanted: Counter[Any], found: Counter[Any]) -> Iterator[str]:
    for key, times in (found - wanted).items():
        yield f"{times} too many of the {what} {key}"
    for key, times in (wanted - found).items():
        yield f"{times} too few of the {what} {key}"


def _trade_key(trade: Fields) -> tuple[str, str, str]:
    return trade["venue"], trade["instrument"], trade["trade_id"]


def _named(fields: Fields, names: Collection[str]) -> Fields:
    return {name: fields[name] for name in names}
