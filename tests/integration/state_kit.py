"""What the tests of the fold's kept state share: 29 folded trades of one partition, and anything in the changelog."""

from typing import Final

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.fold.recovery import Recovered, recover
from agents.fold.setup import FoldSetup, make_setup
from agents.fold.state import FoldState
from app.settings import Settings
from tests.integration.api_kit import WAIT_S
from tests.integration.fold_kit import Stored, Tape, read, trade, with_topics
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch, varint

CHANGELOG: Final = "fold-bars-changelog"
PARTITION: Final = 2
PROGRESS: Final = b"\1P"
"""Key of the progress record: version of the format, and kind."""


def write_some(tape: Tape, first: int, last: int) -> None:
    """Trades of one instrument, a second apart, in one partition."""
    for number in range(first, last):
        tape.raw(tape.avro.write("Trade", trade(str(number), "5", number)), partition=PARTITION)
    tape.flush()


def lose(settings: Settings, partition: int, first: int) -> None:
    """Let `trades` begin at an offset, as retention does."""
    admin = AdminClient(settings.kafka_config)  # kept until the answer is there: its end would end the request too
    (gone,) = admin.delete_records([TopicPartition(settings.topic("trades"), partition, first)]).values()
    gone.result(WAIT_S)


def fold_setup(settings: Settings, tape: Tape) -> FoldSetup:
    """What a worker's folds are made with."""
    setup = make_setup(settings, tape.avro.ids)
    for name in ("trade", "clock"):
        schema = (settings.schemas_dir / f"{name}.avsc").read_text()
        setup.writer_schemas.add(tape.avro.ids[f"livetape.{name.capitalize()}"], schema)
    return setup


async def recovered(
    settings: Settings, tape: Tape, held: FoldState | None = None, *, partition: int = PARTITION
) -> Recovered:
    """The partition as a worker gets it when it is assigned, and has this of its state."""
    return await recover(fold_setup(settings, tape), partition, held)


async def next_offset(settings: Settings, tape: Tape) -> int:
    """Where a worker that is assigned the partition now goes on."""
    partition = await recovered(settings, tape)
    await partition.writer.close()
    return partition.next_offset


async def fold_29(settings: Settings) -> tuple[Tape, list[Stored]]:
    """Write 29 trades and fold them in one flush; gives the changelog."""
    tape = Tape(with_topics(settings))
    write_some(tape, 1, 30)
    await fold_all(settings, await recovered(settings, tape))
    return tape, read(settings, CHANGELOG)


async def fold_all(settings: Settings, partition: Recovered) -> None:
    """Fold the 29 trades from the beginning of the log, in one flush."""
    values = [KafkaRecord(record.key, record.value) for record in read(settings, "trades")]
    assert partition.state.fold.fold(record_batch(0, values), [], 0).trades == 29
    await partition.writer.write(partition.state.fold.take_flush())
    await partition.writer.close()


def put(settings: Settings, *records: tuple[bytes | None, bytes | None]) -> None:
    """Write (key, value) to the changelog."""
    producer = Producer({**settings.kafka_config, "log_level": 0})
    for key, value in records:
        producer.produce(settings.topic(CHANGELOG), value, key, PARTITION)
    assert producer.flush(WAIT_S) == 0


def progress_of(changelog: list[Stored]) -> bytes:
    """Value of the last progress record."""
    return [record.value or b"" for record in changelog if record.key == PROGRESS][-1]


def epoch_of(progress: bytes) -> str:
    """The topic id in a progress record: text behind the version byte, its length first."""
    return progress[2 : 2 + progress[1] // 2].decode()


def progress(*, epoch: str, next_offset: int) -> bytes:
    """A progress record of generation 0 with no venue's clock."""
    return b"\1" + varint(len(epoch)) + epoch.encode() + varint(0) + varint(next_offset) + varint(0)
