"""Transactions through a real broker: those that others write trades in, and our own producer's numbers in them."""

import asyncio
from collections.abc import Iterable

from aiokafka.structs import TopicPartition
from confluent_kafka import Producer

from agents.transport import transactional_producer
from app.settings import Settings
from tests.integration.api_kit import WAIT_S
from tests.integration.fold_kit import Tape, folding, oracles, read, read_bars, trade, wait_until_flushed, with_topics
from tests.integration.fold_oracle import differences


def test_committed_trades_count_and_aborted_ones_and_control_records_never(settings: Settings) -> None:
    """The oracle reads the log by librdkafka, which leaves out aborted records by itself."""
    tape = Tape(with_topics(settings))
    writer = Producer({**settings.kafka_config, "transactional.id": "writer", "compression.type": "zstd"})
    writer.init_transactions(WAIT_S)

    def write(*numbers: int, price: str) -> None:
        for number in numbers:
            value = tape.avro.write("Trade", trade(str(number), price, number))
            writer.produce(tape.topic, value, b"binance:BTC-USDT", 0)
        assert writer.flush(WAIT_S) == 0

    def write_plainly(number: int) -> None:
        tape.raw(tape.avro.write("Trade", trade(str(number), "1.5", number)), partition=0)
        tape.flush()

    writer.begin_transaction()
    write(1, 2, price="2.5")
    write_plainly(3)
    write(4, price="2.5")
    writer.commit_transaction(WAIT_S)
    writer.begin_transaction()
    write(5, 6, price="1000")
    write_plainly(7)
    write(8, price="1000")
    writer.abort_transaction(WAIT_S)
    writer.begin_transaction()
    write(5, 6, price="3.5")  # what was aborted is no duplicate when it comes again
    writer.commit_transaction(WAIT_S)
    tape.clock(120)
    tape.flush()
    writer.begin_transaction()
    write(200, price="1000")
    writer.abort_transaction(WAIT_S)  # so that the log ends with a control record

    expected = oracles(settings, tape.avro)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        assert worker.counted("livetape_fold_trades_total") == len([1, 2, 3, 4, 7, 5, 6])
    assert differences(read_bars(settings, tape.avro), expected) == []
    assert read(settings, "trades.dead") == []


async def test_records_are_numbered_as_the_broker_counts_them_however_many_there_were(settings: Settings) -> None:
    """A new producer's first number may be any; its next ones must follow, and none is below 0."""
    with_topics(settings)
    writer = transactional_producer(settings, "numbers")
    await writer.start()
    at = TopicPartition(settings.topic("late"), 0)
    writer._txn_manager._sequence_numbers[at] = 2**31 - 3

    async def write(values: Iterable[bytes]) -> None:
        async with writer.transaction():
            for value in values:
                await writer.send_and_wait(at.topic, value, partition=at.partition)

    async with asyncio.timeout(WAIT_S):
        await write([b"1", b"2"])
        await write([b"3", b"4", b"5"])
    assert writer._txn_manager.sequence_number(at) == 2
    await writer.stop()
    assert [record.value for record in read(settings, "late")] == [b"1", b"2", b"3", b"4", b"5"]
