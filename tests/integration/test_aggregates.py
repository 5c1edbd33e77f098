"""The aggregates of docs/aggregates.md, as a user would run them: from trades to topic, SQL, REST and /ws."""

import asyncio
import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

import fastavro
import httpx
import pytest

from app.aggregate_bars import READ
from app.database import migrate
from app.settings import CRASH_AT, PROJECT, Settings
from app.units import MINUTE_NS
from tests.integration.api_kit import BINANCE_BTC, WAIT_S, Api, Writer, bar, eventually, serving, shown
from tests.integration.fold_kit import (
    Group,
    Tape,
    Worker,
    folding,
    read,
    read_bars,
    trade,
    wait_until_flushed,
    with_topics,
)
from tests.integration.fold_oracle import Fields
from tests.integration.sql_kit import Database, insert
from tests.parts import running

PAGE = (PROJECT / "docs" / "aggregates.md").read_text()
EXAMPLE, _ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
KILLED = -9
OVERLAPPING = "2m/1m"
SAME = ("revision", "state", "seq", "trade_count", "volume", "notional", "epoch", "generation", "partition")


@pytest.fixture
def declared(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings with the page's example, in a folder of PYTHONPATH."""
    name = settings.namespace.replace("-", "_")
    (tmp_path / f"{name}.py").write_text(EXAMPLE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    own = {"aggregates": f"{name}:ALL", "intervals": (*settings.intervals, OVERLAPPING), "session_timeout_ms": 2_000}
    yield with_topics(settings.model_copy(update=own))
    sys.modules.pop(name, None)


def write_market(tape: Tape, first: int, seconds: int) -> None:
    """Trades of three instruments; the last of each round is late and revises."""
    for number in range(first, first + seconds):
        for name, venue in (("BTC-USDT", "binance"), ("ETH-USDT", "binance"), ("ETH-USD", "kraken")):
            price, size = f"{100 + number % 7}.000000000000000001", Decimal(number % 11 + 1).scaleb(-2)
            tape.trade(trade(str(number), price, number, venue=venue, instrument=name, size=size))
    tape.clock(first + seconds + 5)
    tape.clock(first + seconds + 5, "kraken")
    tape.trade(trade(str(first + 10_000), "99.5", first + 1.5, size=Decimal(7)))
    tape.flush()


def windows(settings: Settings, name: str) -> dict[tuple[bytes | None, int], Fields]:
    """Every committed record of an aggregate's topic by key and revision, by the registered schema; each once."""
    found = {}
    for record in read(settings, f"aggregates.{name}"):
        assert record.value is not None
        schema = schema_of(settings.registry_url, int.from_bytes(record.value[1:5], "big"))
        fields = read_avro(schema, record.value[5:])
        assert (record.key, fields["revision"]) not in found
        found[record.key, fields["revision"]] = fields
    return found


@cache
def schema_of(registry_url: str, schema_id: int) -> Any:
    """A schema as the registry has it; asked for once, since a topic has thousands of records of it."""
    answer = httpx.get(f"{registry_url}/schemas/ids/{schema_id}", timeout=WAIT_S).raise_for_status()
    return fastavro.parse_schema(json.loads(answer.json()["schema"]))


def read_avro(schema: Any, body: bytes) -> Fields:
    """The fields of a record, all digits kept."""
    with localcontext(prec=100):
        fields = fastavro.schemaless_reader(io.BytesIO(body), schema, None)
    assert isinstance(fields, dict)
    return fields


def check_topics(settings: Settings, tape: Tape) -> dict[tuple[bytes | None, int], Fields]:
    """Both aggregates have a record for every version of every bar, with the bar's own values."""
    bars = {
        (f"{bar['venue']}:{bar['instrument']}:{bar['interval']}:{bar['start_ns']}".encode(), bar["revision"]): bar
        for bar in read_bars(settings, tape.avro)
    }
    vwaps, largest = windows(settings, "vwap"), windows(settings, "largest_trade")
    assert vwaps.keys() == largest.keys() == bars.keys()
    with localcontext(prec=100):
        for version, bar in bars.items():
            assert {name: vwaps[version][name] for name in SAME} == {name: bar[name] for name in SAME}
            average = (bar["notional"] / bar["volume"]).quantize(Decimal(1).scaleb(-18))
            assert vwaps[version]["vwap"] == average
    assert {bar["state"] for bar in bars.values()} == {"final", "revised"}
    return vwaps


def test_the_pages_example_reaches_topic_sql_rest_and_ws_as_bars_do(declared: Settings) -> None:
    tape = Tape(declared)
    write_market(tape, 1, 130)
    with folding(declared) as worker:
        wait_until_flushed(declared, worker)
        vwaps = check_topics(declared, tape)
        assert OVERLAPPING in {fields["interval"] for fields in vwaps.values()}
        database = Database(declared)
        latest = {key: fields for (key, _), fields in sorted(vwaps.items(), key=lambda item: item[0][1])}
        with running("sink", declared) as sink:
            eventually(lambda: database.count("aggregate_vwap") == len(latest), lambda: sink.printed)
            eventually(lambda: database.count("aggregate_largest_trade") == len(latest), lambda: sink.printed)
        rows = database.rows(
            "SELECT venue, instrument, interval, start_ns, revision, notional, volume, vwap, state FROM aggregate_vwap"
        )
        assert {f"{row[0]}:{row[1]}:{row[2]}:{row[3]}".encode(): row[4:] for row in rows} == {
            key: tuple(fields[name] for name in ("revision", "notional", "volume", "vwap", "state"))
            for key, fields in latest.items()
        }
        with serving(declared) as api:
            names = [each["name"] for each in api.get("/api/v1/aggregates").json()["aggregates"]]
            assert names == ["vwap", "largest_trade"]
            asked = {**BINANCE_BTC, "interval": "1m"}
            shown = api.get("/api/v1/aggregates/vwap", **asked).json()["windows"]
            bars = [bar for bar in api.bars() if bar["state"] != "forming"]
            for name in ("start_ns", "vwap", "volume", "notional", "seq", "revision", "state", "trade_count"):
                assert [window[name] for window in shown] == [bar[name] for bar in bars]
            asyncio.run(follow(api, tape))
            refused = api.get("/api/v1/aggregates/none", **asked)
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_channel")


def test_windows_are_shown_while_no_sink_has_met_the_aggregate_yet(declared: Settings) -> None:
    tape = Tape(declared)
    write_market(tape, 1, 70)
    with folding(declared) as worker:
        wait_until_flushed(declared, worker)
    with serving(declared) as api:
        answer = api.get("/api/v1/aggregates/vwap", **BINANCE_BTC, interval="1m")
        finals = [bar["start_ns"] for bar in api.bars() if bar["state"] != "forming"]
        assert answer.status_code == 200
        assert [window["start_ns"] for window in answer.json()["windows"]] == finals
        assert finals


async def follow(api: Any, tape: Tape) -> None:
    """A client of the aggregate's channel hears of the next minute as one of `bars` does."""
    async with api.ws() as client:
        asked = {**BINANCE_BTC, "interval": "1m", "channel": "aggregates.vwap"}
        await client.send({"op": "subscribe", **asked})
        snapshot = await client.next("snapshot")
        assert snapshot["channel"] == "aggregates.vwap"
        assert len(snapshot["bars"]) > 1
        await asyncio.to_thread(write_market, tape, 200, 50)
        known = {bar["start_ns"] for bar in snapshot["bars"]}
        update = await client.next("update")
        while update["bar"]["start_ns"] in known:  # revised: the new ids say how many are missing
            update = await client.next("update")
        assert Decimal(update["bar"]["vwap"]) > 0
        await client.send({"op": "unsubscribe", **asked})
        while (await client.receive())["type"] != "unsubscribed":
            pass


def test_an_aggregate_has_no_windows_before_any_sink_made_its_table(declared: Settings) -> None:
    migrate(declared)
    Writer(declared).flush([bar(60, seq=1)])
    with serving(declared) as api:
        answer = api.get("/api/v1/aggregates/vwap", **BINANCE_BTC, interval="1m")
        assert (answer.status_code, answer.json()) == (200, {"windows": []})


def test_windows_from_before_a_field_are_shown_while_no_sink_has_met_it_yet(declared: Settings, tmp_path: Path) -> None:
    store(declared)
    field = "    notional: Annotated[int"
    added = f'    last: Annotated[int | None, Amount("Last price.")] = None\n{field}'
    with changed(declared, tmp_path, field, added), serving(declared) as api:
        (window,) = windows_shown(api, "vwap").json()["windows"]
        assert (window["start_ns"], window["volume"], window["last"]) == (str(MINUTE_NS), "2", None)
        assert api.bars() == [shown(bar(60, seq=1))]
        assert api.get("/readyz").json()["history"] == "postgres"


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE aggregate_vwap; CREATE TABLE aggregate_vwap (whose integer)",
        "ALTER TABLE aggregate_vwap ALTER COLUMN trade_count TYPE numeric",
    ],
)
def test_an_aggregate_whose_table_cannot_be_read_costs_nobody_else_what_is_stored(
    declared: Settings, damage: LiteralString
) -> None:
    store(declared)
    Database(declared).rows(damage)
    with serving(declared) as api:
        assert api.get("/readyz").json()["history"] == "postgres"
        assert api.bars() == [shown(bar(60, seq=1))]
        windows_shown(api, "vwap")
        assert api.get("/api/v1/trades", **BINANCE_BTC).status_code == 200
        assert len(windows_shown(api, "largest_trade").json()["windows"]) == 1


def store(settings: Settings) -> None:
    """Have Postgres hold a bar, and its windows of the page's aggregates."""
    migrate(settings)
    final, day = bar(60, seq=1), date(1970, 1, 1)
    window = {"day": day, **{name: final[name] for name in (*READ, "partition")}}
    vwap = {"notional": Decimal(6), "volume": Decimal(2), "vwap": Decimal(3)}
    largest = {"size": Decimal(1), "trade_id": "17", "records": 1}
    insert(settings, "bar", {"day": day, **final})
    insert(settings, "aggregate_vwap", window | vwap)
    insert(settings, "aggregate_largest_trade", window | largest)


def windows_shown(api: Api, name: str) -> httpx.Response:
    """The answer to who asks for more windows than memory has."""
    return api.get(f"/api/v1/aggregates/{name}", **BINANCE_BTC, interval="1m", limit=600)


def test_workers_killed_at_every_named_point_leave_every_window_right(declared: Settings) -> None:
    tape = Tape(declared)
    for place, point in enumerate(("mid-flush", "before-commit", "after-commit", "during-recovery")):
        write_market(tape, 1 + place * 40, 20)
        with folding(declared, **{CRASH_AT: f"{point}:2"}) as worker:
            assert worker.process.wait(WAIT_S) == KILLED, worker.log
    with folding(declared) as worker:
        wait_until_flushed(declared, worker)
    check_topics(declared, tape)


def test_windows_are_right_whether_their_state_was_kept_or_taken_over(declared: Settings) -> None:
    tape = Tape(declared)
    group = Group(declared)
    with folding(declared) as first:
        write_market(tape, 1, 50)
        wait_until_flushed(declared, first)
        with folding(declared) as second:
            eventually(lambda: group.partitions_of_each() == [2, 2], lambda: first.log + second.log)
            write_market(tape, 51, 60)
            wait_until_flushed(declared, first)
            eventually(lambda: first.metrics.count("\nlivetape_fold_standby_lag_records{") == 2, lambda: first.log)
            second.kill()
        write_market(tape, 111, 60)
        wait_until_flushed(declared, first)
        for state in ("kept", "standby"):
            assert first.counted("livetape_fold_recovery_seconds_count", state=state) >= 2
    assert check_topics(declared, tape)


def test_an_aggregate_that_fails_stops_its_partition_until_it_is_mended(declared: Settings, tmp_path: Path) -> None:
    tape = Tape(declared)
    write_market(tape, 1, 20)
    with broken(declared, tmp_path), folding(declared) as worker:
        eventually(lambda: errors(worker) > 0, lambda: worker.log)
        eventually(lambda: "kraken:ETH-USD" in worker.log, lambda: worker.log)
        assert "aggregate vwap: fold of kraken:ETH-USD" in worker.log
        assert "ZeroDivisionError" in worker.log
        eventually(lambda: any("binance" in str(key) for key, _ in windows(declared, "vwap")), lambda: worker.log)
        assert not any("kraken" in str(key) for key, _ in windows(declared, "vwap"))
        assert not any(bar["venue"] == "kraken" for bar in read_bars(declared, tape.avro))
    with folding(declared) as worker:
        wait_until_flushed(declared, worker)
    check_topics(declared, tape)


def test_an_aggregate_that_refuses_its_own_state_stops_its_partitions_until_it_is_mended(
    declared: Settings, tmp_path: Path
) -> None:
    tape = Tape(declared)
    write_market(tape, 1, 20)
    with folding(declared) as worker:
        wait_until_flushed(declared, worker)
    before = windows(declared, "vwap")
    write_market(tape, 21, 20)
    traded = {record.partition for record in read(declared, "trades") if b":" in (record.key or b"")}
    strict = "    def __post_init__(self) -> None:\n        assert self.volume == 0\n\n    def fold("
    with changed(declared, tmp_path, "    def fold(", strict), folding(declared) as worker:
        eventually(lambda: errors(worker) == len(traded), lambda: worker.log)
        assert "aggregate vwap: its state in the changelog cannot be restored: AssertionError" in worker.log
        assert worker.process.poll() is None
    assert windows(declared, "vwap") == before
    with folding(declared) as worker:
        wait_until_flushed(declared, worker)
    check_topics(declared, tape)


def errors(worker: Worker) -> float:
    return worker.counted("livetape_fold_aggregate_errors_total", aggregate="vwap")


def broken(settings: Settings, folder: Path) -> AbstractContextManager[None]:
    """The example, with a division by zero for one venue."""
    failing = '        volumes = trades.volumes if trades.venue != "kraken" else [1 // 0]\n'
    return changed(settings, folder, "        volumes = trades.volumes\n", failing)


@contextmanager
def changed(settings: Settings, folder: Path, right: str, wrong: str) -> Iterator[None]:
    """The example, with other words in its first aggregate."""
    file = folder / f"{settings.aggregates.partition(':')[0]}.py"
    assert right in EXAMPLE
    file.write_text(EXAMPLE.replace(right, wrong, 1))
    yield
    file.write_text(EXAMPLE)
