"""Trades and a simulated quote feed in, joined trades out, through a real worker that is killed."""

import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from app import dead_letters
from app.settings import CRASH_AT, Settings
from app.topic_admin import apply
from app.units import MINUTE_NS, SECOND_NS
from replay.market import MarketSpec, trades
from replay.quotes import SimulatedQuote, quoted
from replay.trade import SimulatedTrade
from tests.integration.api_kit import WAIT_S, eventually
from tests.integration.broker_files import FORMAT_AT, damage
from tests.integration.fold_kit import PARTITIONS, START_NS, Avro, Group, Tape, folding, make_anew, read, with_topics
from tests.integration.state_kit import lose
from tests.unit.agents.kernel.bar_oracle import Clock
from tests.unit.agents.kernel.join_oracle import JoinRules, Log, Quote, QuoteEvent, Tick, TradeEvent, published

APP = "agents.quote_join"
POINTS = ("mid-flush", "before-commit", "after-commit", "during-recovery")
KILLED = -9
INSTRUMENTS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT")
SPEC = MarketSpec(INSTRUMENTS, rate=40, seed=7)
Fields = dict[str, Any]


@pytest.fixture
def joined(settings: Settings, tmp_path: Path) -> Settings:
    """Settings by which Binance has quotes, and trades may come too late for theirs within the test."""
    venues = tmp_path / "venues.yaml"
    venues.write_text("binance: {trade_ids: contiguous, quotes: true}\n")
    limits = {"quote_horizon_ns": 20 * SECOND_NS, "quote_max_age_ns": 5 * SECOND_NS, "horizon_ns": MINUTE_NS}
    return with_topics(settings.model_copy(update={"venues_file": venues, "session_timeout_ms": 2_000, **limits}))


class Feed:
    """A simulated market whose quotes run behind or ahead of its trades, a few of each out of order, twice or late."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._market = quoted(trades(SPEC, START_NS), seed=7)
        self._chance = random.Random(7)  # noqa: S311 - no secret
        self._now_s = 0.0

    def write(self, count: int) -> None:
        """Write so many more trades and quotes, and the clocks that both logs have come to."""
        for _ in range(count // 20):
            events = list(islice(self._market, 20))
            late = [event for event in events if self._chance.random() < 0.03]
            for event in self._chance.sample(events, len(events)):
                if event not in late:
                    self._write(event)
                if self._chance.random() < 0.05:
                    self._write(event)
            self._now_s = (events[-1].event_time_ns - START_NS) / SECOND_NS
            self._clocks(self._now_s - 0.25)
            for event in late:
                self._write(event)
        self._tape.flush()

    def end(self) -> None:
        """Write a trade long after all quotes, and one that is too late for its own; and let every trade be decided."""
        after_ns = START_NS + round(self._now_s + 20) * SECOND_NS
        self._tape.trade(trade_fields(SimulatedTrade("BTC-USDT", 1, "5", "1", "sell", after_ns)))
        self._clocks(self._now_s + 30)
        self._tape.trade(trade_fields(SimulatedTrade("BTC-USDT", 2, "5", "1", "buy", START_NS)))
        self._clocks(self._now_s + 1_000)
        self._tape.flush()

    def _clocks(self, at_s: float) -> None:
        self._tape.clock(at_s, topic=self._tape.quotes)
        self._tape.clock(at_s)

    def _write(self, event: SimulatedTrade | SimulatedQuote) -> None:
        if isinstance(event, SimulatedTrade):
            self._tape.trade(trade_fields(event))
        else:
            self._tape.quote(quote_fields(event))


def trade_fields(trade: SimulatedTrade) -> Fields:
    return {
        "venue": "binance",
        "instrument": trade.instrument,
        "trade_id": str(trade.trade_id),
        "price": Decimal(trade.price),
        "size": Decimal(trade.size),
        "aggressor": trade.aggressor,
        "event_time_ns": trade.event_time_ns,
        "receive_time_ns": trade.event_time_ns,
    }


def quote_fields(quote: SimulatedQuote) -> Fields:
    return {
        "venue": "binance",
        "instrument": quote.instrument,
        "quote_seq": quote.quote_seq,
        "bid_price": Decimal(quote.bid_price),
        "bid_size": Decimal(quote.bid_size),
        "ask_price": Decimal(quote.ask_price),
        "ask_size": Decimal(quote.ask_size),
        "event_time_ns": quote.event_time_ns,
        "receive_time_ns": quote.event_time_ns,
    }


def written(settings: Settings, avro: Avro) -> list[Fields]:
    """Every committed joined trade."""
    return [
        {**avro.read(record.value or b"")[1], "key": record.key, "of": record.partition}
        for record in read(settings, "trades.joined")
    ]


def log_of(settings: Settings, avro: Avro, topic: str) -> dict[int, list[tuple[int, str, Fields]]]:
    """Offset, type and fields of every record, by partition."""
    log = defaultdict(list)
    for record in read(settings, topic):
        log[record.partition].append((record.offset, *avro.read(record.value or b"")))
    return log


def trade_event(offset: int, name: str, fields: Fields) -> TradeEvent:
    if name == "Clock":
        return Clock(offset, fields["venue"], fields["time_ns"])
    names = ("venue", "instrument", "trade_id", "price", "size", "aggressor", "event_time_ns", "receive_time_ns")
    return Tick(offset, *(fields[name] for name in names))


def quote_event(offset: int, name: str, fields: Fields) -> QuoteEvent:
    if name == "Clock":
        return Clock(offset, fields["venue"], fields["time_ns"])
    sides = [(fields[f"{side}_price"], fields[f"{side}_size"]) for side in ("bid", "ask")]
    times = fields["event_time_ns"], fields["receive_time_ns"]
    return Quote(offset, fields["venue"], fields["instrument"], fields["quote_seq"], sides[0], sides[1], *times)


def expected(settings: Settings, avro: Avro) -> Iterator[Fields]:
    """What both logs ask for, partition by partition."""
    rules = JoinRules(
        base_ns=SECOND_NS,
        horizon_ns=settings.horizon_ns,
        quote_horizon_ns=settings.quote_horizon_ns,
        max_quote_age_ns=settings.quote_max_age_ns,
        max_ahead_ns=settings.max_ahead_ns,
        quoted=frozenset({"binance"}),
    )
    all_trades, all_quotes = (log_of(settings, avro, topic) for topic in ("trades", "quotes"))
    for number in range(PARTITIONS):
        trades = Log([trade_event(*record) for record in all_trades[number]])
        quotes = Log([quote_event(*record) for record in all_quotes[number]])
        for fields in published(rules, trades, quotes).values():
            yield {**fields, "of": number}


def comparable(joined: Fields) -> Fields:
    """Without what only says where it was made."""
    assert joined["key"].decode() == f"{joined['venue']}:{joined['instrument']}"
    assert joined["partition"] == joined["of"]
    return {name: value for name, value in joined.items() if name not in {"key", "epoch", "partition"}}


def by_place(records: list[Fields]) -> dict[tuple[int, int], Fields]:
    found = {(fields["of"], fields["seq"]): fields for fields in records}
    assert len(found) == len(records), "a trade was published twice"
    return found


def test_each_trade_is_joined_with_the_quote_of_its_time_once_whatever_kills_the_worker(joined: Settings) -> None:
    tape = Tape(joined)
    feed = Feed(tape)
    for point in POINTS:
        feed.write(400)
        with folding(joined, app=APP, **{CRASH_AT: f"{point}:2"}) as worker:
            assert worker.process.wait(WAIT_S) == KILLED, worker.log
    feed.write(400)
    feed.end()
    wanted = by_place(list(expected(joined, tape.avro)))
    with folding(joined, app=APP) as worker:
        eventually(lambda: len(written(joined, tape.avro)) >= len(wanted), lambda: worker.log)
        assert worker.stop() == 0, worker.log
    assert by_place([comparable(fields) for fields in written(joined, tape.avro)]) == wanted
    assert {fields["match"] for fields in wanted.values()} == {"quoted", "none", "late"}
    assert any(fields["effective_spread"] > 0 for fields in wanted.values() if fields["match"] == "quoted")
    assert read(joined, "quotes.dead") == []


def test_three_workers_join_all_trades_of_four_partitions(joined: Settings) -> None:
    joined = joined.model_copy(update={"session_timeout_ms": 10_000})  # a worker that rests is none that has gone
    tape = Tape(joined)
    feed = Feed(tape)
    with folding(joined, app=APP) as first, folding(joined, app=APP) as second, folding(joined, app=APP) as third:
        group, workers = Group(joined, "join"), (first, second, third)

        def logs() -> str:
            return "".join(worker.log for worker in workers)

        eventually(lambda: group.partitions_of_each() == [2, 2, 4], logs)  # both logs of each
        feed.write(400)
        feed.end()
        wanted = by_place(list(expected(joined, tape.avro)))
        eventually(lambda: len(written(joined, tape.avro)) >= len(wanted), logs)
        assert [worker.stop() for worker in workers] == [0, 0, 0], logs()
        assert "fenced" not in logs()
    assert by_place([comparable(fields) for fields in written(joined, tape.avro)]) == wanted
    assert len({fields["of"] for fields in wanted.values()}) > 2


def test_a_quote_that_was_mended_and_sent_again_is_joined(joined: Settings) -> None:
    tape = Tape(joined)
    fields = quote_fields(SimulatedQuote("BTC-USDT", 1, "99", "1", "101", "1", START_NS))
    whole = tape.avro.write("Quote", fields)
    tape.raw(whole + b"\0", topic=tape.quotes)
    tape.trade(trade_fields(SimulatedTrade("BTC-USDT", 1, "101", "1", "buy", START_NS + SECOND_NS)))
    tape.flush()
    with folding(joined, app=APP) as worker:
        eventually(lambda: read(joined, "quotes.dead"), lambda: worker.log)
        (letter,) = dead_letters.read(joined)
        assert dead_letters.send(joined, [letter.model_copy(update={"value": whole.hex()})]) == 1
        for topic in (tape.topic, tape.quotes):
            tape.clock(1_000, topic=topic)
        tape.flush()
        eventually(lambda: written(joined, tape.avro), lambda: worker.log)
        assert worker.stop() == 0, worker.log
    (trade,) = written(joined, tape.avro)
    assert letter.topic == tape.quotes
    assert bytes.fromhex(letter.value or "") == whole + b"\0"
    assert (trade["match"], trade["effective_spread"]) == ("quoted", Decimal(2))


def test_a_batch_of_quotes_whose_end_cannot_be_told_stops_its_partition_alone(joined: Settings) -> None:
    tape = Tape(joined)
    feed = Feed(tape)
    feed.write(400)
    ends = {record.partition: record.offset + 1 for record in read(joined, "quotes")}
    feed.write(400)
    feed.end()
    wanted = by_place(list(expected(joined, tape.avro)))
    joins = {fields["of"] for fields in wanted.values()}
    begin = next(
        record
        for record in read(joined, "quotes")
        if record.partition in joins and record.offset == ends[record.partition]
    )
    damage(joined, begin, FORMAT_AT, "quotes")
    others = {place: fields for place, fields in wanted.items() if fields["of"] != begin.partition}
    with folding(joined, app=APP) as worker:
        eventually(
            lambda: len(written_elsewhere(joined, tape.avro, begin.partition)) >= len(others), lambda: worker.log
        )
        eventually(lambda: f"partition {begin.partition} offset {begin.offset}: " in worker.log)
        assert worker.stop() == 0, worker.log
    found = by_place([comparable(fields) for fields in written(joined, tape.avro)])
    assert {place: fields for place, fields in found.items() if fields["of"] != begin.partition} == others
    of_it = {place: fields for place, fields in found.items() if fields["of"] == begin.partition}
    assert of_it.items() <= wanted.items()


def test_a_partition_whose_next_trades_are_gone_is_left_alone_and_the_others_are_joined(joined: Settings) -> None:
    tape = Tape(joined)
    feed = Feed(tape)
    feed.write(400)
    with folding(joined, app=APP) as worker:
        eventually(lambda: written(joined, tape.avro), lambda: worker.log)
        assert worker.stop() == 0, worker.log
    gone = written(joined, tape.avro)[0]["of"]
    feed.write(400)
    feed.end()
    wanted = by_place(list(expected(joined, tape.avro)))
    others = {place: fields for place, fields in wanted.items() if fields["of"] != gone}
    lose(joined, gone, Group(joined).ends()[gone])
    with folding(joined, app=APP) as worker:
        eventually(lambda: len(written_elsewhere(joined, tape.avro, gone)) >= len(others), lambda: worker.log)
        refusal = f"partition {gone} is not joined: {tape.topic} begins at offset"
        eventually(lambda: refusal in worker.log, lambda: worker.log)
        assert worker.stop() == 0, worker.log
    found = by_place([comparable(fields) for fields in written_elsewhere(joined, tape.avro, gone)])
    assert found == others


def written_elsewhere(settings: Settings, avro: Avro, partition: int) -> list[Fields]:
    """Every committed joined trade of the other partitions."""
    return [fields for fields in written(settings, avro) if fields["of"] != partition]


def run_reset(settings: Settings) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "reset", "--join", "--yes"]
    environment = os.environ | settings.environment()
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=WAIT_S)


def test_after_a_reset_every_trade_is_joined_again_and_there_once(joined: Settings) -> None:
    joined = joined.model_copy(update={"session_timeout_ms": 10_000})  # a worker that rests is none that has gone
    tape = Tape(joined)
    feed = Feed(tape)
    feed.write(400)
    feed.end()
    wanted = by_place(list(expected(joined, tape.avro)))
    for _ in range(2):
        with folding(joined, app=APP) as worker:
            eventually(lambda: len(written(joined, tape.avro)) >= len(wanted), lambda worker=worker: worker.log)
            refused = run_reset(joined)
            assert worker.stop() == 0, worker.log
        assert refused.returncode == 1
        assert "1 join workers of" in refused.stderr
        assert by_place([comparable(fields) for fields in written(joined, tape.avro)]) == wanted
        made = run_reset(joined)
        assert made.returncode == 0, made.stderr
        assert written(joined, tape.avro) == []
    assert {action.what for action in apply(joined)} == {"unchanged"}


def test_logs_made_anew_are_joined_after_a_reset(joined: Settings) -> None:
    tape = Tape(joined)
    feed = Feed(tape)
    feed.write(100)
    with folding(joined, app=APP) as worker:
        feed.end()
        eventually(lambda: written(joined, tape.avro), lambda: worker.log)
    make_anew(joined, "quotes")
    with folding(joined, app=APP) as worker:
        assert worker.process.wait(WAIT_S) != 0
        assert "livetape reset --join" in worker.log
    assert run_reset(joined).returncode == 0
    again = Tape(joined)
    Feed(again).end()
    wanted = by_place(list(expected(joined, again.avro)))
    with folding(joined, app=APP) as worker:
        eventually(lambda: len(written(joined, again.avro)) >= len(wanted), lambda: worker.log)
        assert worker.stop() == 0, worker.log
    assert by_place([comparable(fields) for fields in written(joined, again.avro)]) == wanted
