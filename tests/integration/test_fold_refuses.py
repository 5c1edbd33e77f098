"""State that does not belong to the log is refused, with a message that says what is wrong and what to do."""

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from app.settings import Settings
from app.topic_admin import apply
from tests.integration.api_kit import WAIT_S
from tests.integration.fold_kit import Stored, Tape, folding, read, trade, wait_until_flushed, with_topics
from tests.unit.agents.kernel.record_sets import varint

CHANGELOG = "fold-bars-changelog"
PROGRESS = b"\1P"
"""Key of the progress record: version of the format, and kind."""
REMEDY = "`livetape reset` folds the log from its start again"


def write_some(tape: Tape, first: int, last: int) -> None:
    """Trades of one instrument, a second apart."""
    for number in range(first, last):
        tape.trade(trade(str(number), "5", number))
    tape.flush()


def fold_all(settings: Settings) -> list[Stored]:
    """Fold what is in the log, and give the changelog."""
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        worker.stop()
    return read(settings, CHANGELOG)


def refusal(settings: Settings) -> str:
    """What a worker says that must end by itself."""
    with folding(settings) as worker:
        assert worker.process.wait(WAIT_S) != 0
        return worker.log


def put(settings: Settings, records: list[tuple[int, bytes | None, bytes | None]]) -> None:
    """Write (partition, key, value) to the changelog."""
    producer = Producer({**settings.kafka_config, "log_level": 0})
    for partition, key, value in records:
        producer.produce(settings.topic(CHANGELOG), value, key, partition)
    assert producer.flush(WAIT_S) == 0


def progress_of(records: list[Stored]) -> Stored:
    """The last progress record of the one partition that has any."""
    return [record for record in records if record.key == PROGRESS][-1]


def test_state_with_no_progress_is_refused(settings: Settings, servers: Settings) -> None:
    write_some(Tape(with_topics(settings)), 1, 30)
    changelog = fold_all(settings)
    other = with_topics(servers.model_copy(update={"namespace": f"{settings.namespace}-copy"}))
    put(other, [(record.partition, record.key, record.value) for record in changelog if record.key != PROGRESS])
    assert "the changelog has state but no progress record" in refusal(other)
    assert read(other, "bars") == []


def test_state_of_another_log_is_refused_when_the_topic_was_made_anew(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write_some(tape, 1, 30)
    changelog = fold_all(settings)
    admin = AdminClient(settings.kafka_config)
    admin.delete_topics([settings.topic("trades")], operation_timeout=WAIT_S)[settings.topic("trades")].result(WAIT_S)
    apply(settings)
    write_some(tape, 1, 60)
    told = refusal(settings)
    assert f"{settings.topic('trades')} has id " in told
    assert f"and the state was folded from {epoch_of(progress_of(changelog))}: {REMEDY}" in told
    assert read(settings, CHANGELOG) == changelog


def test_progress_past_the_end_of_the_log_is_refused(settings: Settings) -> None:
    write_some(Tape(with_topics(settings)), 1, 30)
    last = progress_of(fold_all(settings))
    epoch = epoch_of(last).encode()
    value = b"\1" + varint(len(epoch)) + epoch + varint(0) + varint(1_000) + varint(0)
    put(settings, [(last.partition, PROGRESS, value)])
    told = refusal(settings)
    assert f"{settings.topic('trades')} ends at offset 29, and the state has come to 1000: {REMEDY}" in told


def test_a_log_that_begins_after_the_progress_is_refused(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write_some(tape, 1, 30)
    partition = progress_of(fold_all(settings)).partition
    write_some(tape, 30, 60)
    trades = settings.topic("trades")
    admin = AdminClient(settings.kafka_config)
    (gone,) = admin.delete_records([TopicPartition(trades, partition, 40)]).values()
    gone.result(WAIT_S)
    told = refusal(settings)
    assert f"{trades} begins at offset 40, and the state has come to 29 only" in told
    assert REMEDY in told


def test_a_changelog_of_another_version_is_refused(settings: Settings) -> None:
    write_some(Tape(with_topics(settings)), 1, 30)
    last = progress_of(fold_all(settings))
    put(settings, [(last.partition, PROGRESS, b"\2" + (last.value or b"")[1:])])
    assert "the record is not of format version 1" in refusal(settings)


def test_a_worker_whose_topics_are_missing_says_so(settings: Settings) -> None:
    told = refusal(settings)
    assert f"these topics are not there: {settings.topic('trades')}, {settings.topic(CHANGELOG)}" in told
    assert "`livetape topics apply`" in told


def epoch_of(progress: Stored) -> str:
    """The topic id in a progress record: text behind the version byte, its length first."""
    value = progress.value or b""
    return value[2 : 2 + value[1] // 2].decode()
