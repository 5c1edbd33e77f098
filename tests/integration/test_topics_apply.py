"""`livetape topics apply` on the real broker."""

from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from app.settings import Settings
from app.topic_admin import TopicError, TopicsRefused, apply, read_cluster
from app.topics import load_topics
from tests.integration.api_kit import WAIT_S


def test_topics_are_made_as_declared_and_a_second_apply_finds_nothing_to_do(settings: Settings) -> None:
    assert {action.what for action in apply(settings)} == {"created"}
    topics = load_topics(settings)
    cluster = read_cluster(AdminClient(settings.kafka_config), settings, topics)
    for name, topic in topics.items():
        made = cluster[settings.topic(name)]
        assert (made.partitions, made.is_empty) == (topic.partitions, True)
        assert made.config == topic.kafka_config(settings)
    assert {action.what for action in apply(settings)} == {"unchanged"}


def test_an_empty_topic_grows_and_one_with_records_does_not(settings: Settings, tmp_path: Path) -> None:
    apply(settings)
    file = tmp_path / "topics.yaml"
    file.write_text(settings.topics_file.read_text().replace("partitions: 4", "partitions: 6"))
    wider = settings.model_copy(update={"topics_file": file})
    producer = Producer(settings.kafka_config)
    producer.produce(settings.topic("trades"), key=b"binance:BTC-USDT", value=b"")
    assert producer.flush(WAIT_S) == 0
    with pytest.raises(TopicsRefused, match=r"trades: it has records, and 6 partitions instead of 4"):
        apply(wider)
    assert {action.what for action in apply(settings)} == {"unchanged"}

    empty = wider.model_copy(update={"namespace": f"{settings.namespace}-empty"})
    apply(empty.model_copy(update={"topics_file": settings.topics_file}))
    assert {action.what for action in apply(empty)} == {"partitions = 6"}


def test_a_setting_that_kafka_does_not_know_is_an_error_that_names_the_cluster(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text("x:\n  key: k\n  schemas: []\n  partitions: 1\n  cleanup: compact\n  config: {no.such: 1}\n")
    with pytest.raises(TopicError, match=rf"{settings.kafka_bootstrap}.*no\.such"):
        apply(settings.model_copy(update={"topics_file": file}))
