"""A full disk stops a recording and refuses what Kafka does not take, says so, and spoils nothing that was written."""

import asyncio
import gzip
import random
import re
from pathlib import Path
from string import ascii_letters, digits
from typing import Final

import pytest

from app.settings import Settings
from local import certificates
from replay.exchange import Exchange
from replay.recording import RecordedFrame
from replay.venues import VenueName, protocol_of
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import Bridge, Script, bridge_settings, read_topic, server_tls, trades_of, venue_of
from tests.integration.bridge_run import BTC, running, trade
from tests.integration.full_disk import need_small_disks, on_small_disk, on_small_disk_then_kept
from tests.integration.kafka_kit import kafka_of_its_own, start_again
from tests.integration.test_recording import frames_in, recording

NAME: Final = VenueName.BINANCE
FRAMES: Final = 600
FRAME_BYTES: Final = 8_000
RECORDING_KIB: Final = 2_500
"""Two files of a MiB and the beginning of a third."""
SPOOL_KIB: Final = 256
MANY: Final = 140_000
"""Trades: as many as the producer has room for in memory, 65,536 messages, and more than as many again."""
KEPT: Final = 40_000
"""Trades that there is room for, with all that else is in memory."""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder to mount a small disk on."""
    folder = tmp_path / "small"
    folder.mkdir()
    need_small_disks(folder)
    return folder


async def test_a_recorder_on_a_full_disk_ends_with_the_reason_and_all_before_can_be_read(
    settings: Settings, certs: certificates.Certificates, tmp_path: Path, small: Path
) -> None:
    chance, protocol, script = random.Random(3), protocol_of(NAME, (BTC,)), Script()  # noqa: S311 - no secret
    sent = ["".join(chance.choices(ascii_letters + digits, k=FRAME_BYTES)) for _ in range(FRAMES)]
    script.say(*(RecordedFrame(0, protocol.stream_of(BTC), text) for text in sent))
    kept = tmp_path / "kept"
    kept.mkdir()
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        venues = {NAME: venue_of(NAME, exchange, (BTC,), certs.ca)}
        here = bridge_settings(settings, tmp_path).model_copy(update={"venues": venues})
        disk = on_small_disk_then_kept(small, RECORDING_KIB, kept)
        with recording(here, small, "--mib", "1", under=disk) as recorder:
            assert await asyncio.to_thread(recorder.process.wait, WAIT_S) == 1, recorder.log
    reasons = re.findall(rf"nothing can be recorded in {small}/binance/\S+: (.*)", recorder.log)
    assert set(reasons) == {"No space left on device"}, recorder.log
    *whole, last = sorted((kept / NAME).iterdir())
    assert len(whole) == 2
    for file in whole:
        gzip.decompress(file.read_bytes())  # it has its end
    assert last.stat().st_size > 0
    _answer, *texts = [frame.text for frame in frames_in(kept / NAME)]
    assert texts == sent[: len(texts)]
    assert len(texts) > FRAMES / 4


def is_all_there(bridge: Bridge) -> bool:
    """Whether the brokers have all that the producer was given."""
    produced, delivered = (bridge.metric(f"kafka_{name}_total") for name in ("produced", "delivered"))
    return produced == delivered


async def test_a_bridge_whose_spool_is_on_a_full_disk_says_what_is_lost_and_loses_no_more_than_that(
    tmp_path: Path, certs: certificates.Certificates, small: Path
) -> None:
    async with kafka_of_its_own(tmp_path, "test-full-disk") as (settings, kafka):
        disk = on_small_disk(small, SPOOL_KIB)
        async with running(settings, certs, under=disk, spool_dir=str(small)) as run:
            await run.play(trade(1))
            await run.bridge.counts("kafka_delivered_total", 1)
            kafka.stop()
            await run.bridge.says("Kafka: the brokers are away")
            await run.play(*(trade(number) for number in range(2, MANY)))
            await run.bridge.says("binance takes no more messages: No space left on device")
            await run.bridge.until(lambda: (run.total("spool_refused") or 0) > 0, "a message that is refused")
            await start_again(kafka)
            await run.bridge.says("Kafka: the brokers are back")
            await run.bridge.until(lambda: is_all_there(run.bridge), "room for one")
            await run.play(trade(MANY))
            assert await run.bridge.stop() == 1
        records = await asyncio.to_thread(read_topic, settings)
        gaps = [record.fields for record in await asyncio.to_thread(read_topic, settings, "gaps")]
    numbers = [int(record.fields["trade_id"]) for record in trades_of(records, NAME)]
    assert numbers == sorted(set(numbers))
    assert numbers[:KEPT] == [*range(1, KEPT + 1)], "what was kept came, from its beginning"
    assert numbers[-1] == MANY
    sequences = {record.sequence for record in records}
    said = re.search(r"Kafka: (\d+) messages were lost", run.bridge.log)
    assert said, run.bridge.log
    assert max(sequences) - len(sequences) == int(said[1]) > 0
    told = {number for gap in gaps for number in range(gap["first_missing_id"], gap["last_missing_id"] + 1)}
    assert told >= {*range(1, MANY)} - {*numbers}, "what is lost is told"
