"""Takes the fuzzers' seeds: what our own producers wrote to a real broker, and cuts it small.

`python -m tests.fuzz.take_seeds` writes tests/fuzz/corpus anew, but for the inputs that once failed (`failed-…`).
"""

import asyncio
import struct
import tempfile
from collections.abc import Iterator, Sequence
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Final

from confluent_kafka import Producer

from agents.kernel import read_records
from agents.kernel.decode_plan import Step, compile_plan
from app import schema_registry
from app.settings import Settings
from app.topic_admin import apply
from local import certificates, stack
from replay.exchange import Exchange
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import Script, bridge_settings, bridging, server_tls, venue_of
from tests.integration.broker_files import segment
from tests.integration.fold_kit import PARTITIONS, START_NS, Tape, folding, trade, wait_until_flushed

CORPUS: Final = Path(__file__).with_name("corpus")
INSTRUMENTS: Final = ("BTC-USDT", "ETH-USDT")
TARGETS: Final = ("avro_body", "changelog", "fold", "record_set", "writer_schema")
LARGEST: Final = 6_000
FIRST_SCHEMAS: Final = ("bar.avsc", "clock.avsc", "gap.avsc", "live.avsc", "trade.avsc")
"""Registered before all others, so that clocks and trades have the ids that kit.hpp knows."""
CODES: Final = (
    "skip_varint", "skip_bytes", "skip_fixed", "text", "number", "decimal", "symbol", "texts", "union_of", "record_of",
    "blocks_of",
)  # fmt: skip
SLOTS: Final = (
    "venue", "instrument", "trade_id", "trade_seq", "price", "size", "aggressor", "event_time_ns", "receive_time_ns",
    "action", "refers_to", "conditions",
)  # fmt: skip


def main() -> None:
    """Run the producers and keep what they wrote."""
    for target in TARGETS:
        for old in (CORPUS / target).iterdir():
            if not old.name.startswith("failed-"):
                old.unlink()
    with tempfile.TemporaryDirectory() as home:
        settings = stack.on_free_ports(Settings(namespace="seeds"), Path(home))
        with stack.running(settings):
            register_first(settings)
            asyncio.run(of_the_bridge(settings.model_copy(update={"namespace": "bridge"})))
            of_the_fold(settings)


def register_first(settings: Settings) -> None:
    """Register some schemas before the others."""
    first = [schema for schema in schema_registry.own_schemas(settings) if schema.source in FIRST_SCHEMAS]
    ids = schema_registry._register_these(settings, first)
    assert (ids["livetape.Clock"], ids["livetape.Trade"]) == (2, 5), "kit.hpp says so"


async def of_the_bridge(settings: Settings) -> None:
    """Record sets of trades and clocks, as the bridge wrote them."""
    apply(settings)
    folder = settings.home / "bridge"
    folder.mkdir()
    script = Script()
    certs = certificates.ensure(settings.home / "certs")
    async with Exchange(protocol_of(VenueName.BINANCE, INSTRUMENTS), script, server_tls(certs)) as exchange:
        venue = venue_of(VenueName.BINANCE, exchange, INSTRUMENTS, certs.ca)
        with bridging(bridge_settings(settings, folder, binance=venue)) as bridge:
            await bridge.counts('frames_total{venue="binance"}', 1)  # the answer to its subscription
            for number in range(1, 31):
                at_ns = START_NS + number * 400_000_000
                script.say(SimulatedTrade(INSTRUMENTS[number % 2], number, f"{number}.5", "0.25", "buy", at_ns))
            await bridge.counts('trades_total{venue="binance"}', 30)
            assert await bridge.stop() == 0
    for partition in range(PARTITIONS):
        keep_record_sets(segment(settings, partition).read_bytes())


def of_the_fold(settings: Settings) -> None:
    """Record sets of every codec and with transactions, and the changelog that the fold makes of them."""
    apply(settings)
    tape = Tape(settings)
    for number, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd")):
        of_codec = Tape(settings, **{"compression.type": codec})
        for second in range(10):
            at_s = number * 10 + second
            of_codec.trade(trade(str(at_s), f"{at_s}.25", at_s))
            other = {"instrument": "ETH-USDT", "size": Decimal(7)}
            of_codec.trade(trade(f"id-{at_s}", "0.000000000000000001", at_s - 3, **other))
        of_codec.flush()
    in_transactions(settings, tape)
    tape.clock(130)
    tape.flush()
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
    for partition in range(PARTITIONS):
        log = segment(settings, partition).read_bytes()
        keep_record_sets(log)
        changelog = segment(settings, partition, "fold-bars-changelog").read_bytes()
        keep_record_sets(changelog, only="record_set")
        keep_state(changelog)
        keep_bodies(log)


def in_transactions(settings: Settings, tape: Tape) -> None:
    """A transaction that is committed and one that is aborted."""
    producer = Producer({**settings.kafka_config, "transactional.id": "seeds", "compression.type": "lz4"})
    producer.init_transactions(30)
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        value = tape.avro.write("Trade", trade("900", "1", 60))
        producer.produce(tape.topic, value, b"binance:BTC-USDT", 0)
        producer.flush(30)
        end(30)


def keep_record_sets(log: bytes, only: str = "") -> None:
    """Pieces of a log that begin and end with a batch."""
    piece = b""
    for batch in batches(log):
        if len(piece) + len(batch) > LARGEST:
            keep_set(piece, only)
            piece = b""
        piece += batch
    keep_set(piece, only)


def keep_set(piece: bytes, only: str) -> None:
    """A record set, for both targets that read one."""
    for target in [only] if only else ["record_set", "fold"]:
        keep(target, piece)


def keep_state(changelog: bytes) -> None:
    """The last records of a changelog, as the target `changelog` takes them."""
    records, damaged = read_records(changelog)
    assert damaged == []
    last = {record.key or b"": record.value for record in records}
    state = b""
    for key, value in last.items():
        state += struct.pack(">HH", len(key), 0xFFFF if value is None else len(value)) + key + (value or b"")
    keep("changelog", state[:LARGEST])


def keep_bodies(log: bytes) -> None:
    """Avro bodies, alone and behind the plans of their writers' schemas."""
    records, _ = read_records(log)
    plans = {name: plan_of(Path("schemas") / f"{name}.avsc") for name in ("trade", "clock")}
    for record in records[:3] + records[-1:]:
        body = (record.value or b"")[5:]
        keep("avro_body", body)
        for plan in plans.values():
            keep("writer_schema", plan + body)


def plan_of(schema: Path) -> bytes:
    """A writer's plan, as the target `writer_schema` takes it."""
    _, steps = compile_plan(schema.read_text())
    return packed(steps)


def packed(steps: Sequence[Step]) -> bytes:
    """A count of steps, and each."""
    data = bytes([len(steps)])
    for step in steps:
        slot = SLOTS.index(step.slot) if step.slot else 0
        data += bytes([CODES.index(step.code), slot, step.size, len(step.symbols), *step.symbols])
        data += packed(step.children)
    return data


def batches(log: bytes) -> Iterator[bytes]:
    """The record batches of a log."""
    at = 0
    while at < len(log):
        end = at + 12 + struct.unpack_from(">i", log, at + 8)[0]
        yield log[at:end]
        at = end


def keep(target: str, seed: bytes) -> None:
    """Write a seed under the name of its content."""
    if seed:
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / sha256(seed).hexdigest()[:16]).write_bytes(seed)


if __name__ == "__main__":
    main()
