"""A new version of trade.avsc is taken up by workers and sinks that run, in the middle of the stream."""

import json
from itertools import count
from typing import Any

import httpx

from app.settings import Settings
from tests.integration.api_kit import WAIT_S, eventually
from tests.integration.fold_kit import Tape, folding, oracles, read, read_bars, trade, wait_until_flushed, with_topics
from tests.integration.fold_oracle import differences
from tests.integration.sql_kit import Database
from tests.parts import running

INSTRUMENTS = [f"I{number}-USD" for number in range(12)]


def schema_of_trades(settings: Settings) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((settings.schemas_dir / "trade.avsc").read_text())
    return schema


def newer(schema: dict[str, Any]) -> dict[str, Any]:
    """A version that has a field more in front of all that count, one more inside and behind them, and one less."""
    venue_time = {"type": "record", "name": "VenueTime", "fields": [{"name": "ms", "type": ["null", "long"]}]}
    fields = [field for field in schema["fields"] if field["name"] != "bridge_sequence"]
    fields.insert(0, {"name": "tags", "type": {"type": "map", "values": "string"}, "default": {}})
    fields.insert(5, {"name": "venue_time", "type": ["null", venue_time], "default": None})
    fields.append({"name": "fee", "type": "double", "default": 0.0})
    return {**schema, "fields": fields}


def write_minute(tape: Tape, minute: int, **more: object) -> None:
    """Six trades of every instrument."""
    for second in range(minute * 60, (minute + 1) * 60, 10):
        for name in INSTRUMENTS:
            tape.trade(trade(str(second + 1), f"{100 + second % 17}.5", second, instrument=name, **more))
    tape.flush()


def test_a_compatible_new_version_of_trades_is_taken_up_with_no_restart(settings: Settings) -> None:
    tape, database = Tape(with_topics(settings)), Database(settings)
    schema = schema_of_trades(settings)
    with running("sink", settings) as sink, folding(settings) as worker:
        write_minute(tape, 0)
        wait_until_flushed(settings, worker)
        tape.avro.evolve("Trade", newer(schema))
        write_minute(tape, 1, tags={"a": "b"}, venue_time={"ms": 17}, fee=0.25)
        tape.avro.evolve("Trade", schema)  # another writer was not renewed yet
        write_minute(tape, 2)
        tape.avro.evolve("Trade", newer(schema))
        write_minute(tape, 3)
        tape.clock(300)
        tape.flush()
        wait_until_flushed(settings, worker)
        eventually(lambda: database.count("trade") == 24 * len(INSTRUMENTS), lambda: sink.printed)
        assert worker.process.poll() is None
        assert sink.exit_code is None
    assert read(settings, "trades.dead") == []
    assert database.rows("SELECT * FROM dead_letter") == []
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []


def test_trades_whose_schema_is_registered_late_are_folded_from_then_on(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    schema = newer(schema_of_trades(settings))
    of_this_test = settings.namespace.replace("-", "_")  # the registry gives a schema that differs in its doc an old id
    schema["fields"].append({"name": of_this_test, "type": "int", "default": 0})
    unknown = ids_to_come(settings)
    early = tape.avro.write("Trade", trade("1", "5", 1))
    with folding(settings) as worker:
        for schema_id in unknown:
            tape.raw(b"\0" + schema_id.to_bytes(4, "big") + early[5:])
        tape.flush()
        eventually(lambda: len(read(settings, "trades.dead")) == len(unknown), lambda: worker.log)
        tape.avro.evolve("Trade", schema)
        assert tape.avro.ids["livetape.Trade"] in unknown

        def has_folded() -> bool:
            tape.trade(trade("2", "5", 2))
            tape.flush()
            return worker.counted("livetape_fold_trades_total") == 1

        eventually(has_folded, lambda: worker.log)


def ids_to_come(settings: Settings) -> range:
    """Ids that the registry has not given yet; it numbers upwards, and other tests register as well."""
    url = f"{settings.registry_url}/schemas/ids"
    first = next(number for number in count(1) if httpx.get(f"{url}/{number}", timeout=WAIT_S).status_code == 404)
    return range(first, first + 20)
