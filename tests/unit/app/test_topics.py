"""topics.yaml as livetape reads it."""

import re
from pathlib import Path

import pytest

from app.schema_files import RECORDS
from app.settings import PROJECT, Settings
from app.topics import Cleanup, TopicsFileError, load_topics, read_topics

DAY_MS = 86_400_000


def test_the_projects_topics_file_declares_every_topic_of_the_way_of_a_trade() -> None:
    topics = load_topics(Settings())
    assert set(topics) == {
        "trades",
        "bars",
        "bars.1s",
        "bars.live",
        "late",
        "gaps",
        "trades.dead",
        "fold-bars-changelog",
        "quotes",
        "candles",
        "trades.joined",
        "quotes.dead",
        "join-quotes-changelog",
    }
    assert topics["trades"].batch
    assert topics["fold-bars-changelog"].cleanup is Cleanup.COMPACT


def test_topics_that_copy_the_source_partition_have_as_many_partitions_as_trades() -> None:
    topics = load_topics(Settings())
    assert {topic.partitions for topic in topics.values()} == {topics["trades"].partitions}


def test_retention_is_by_age_and_timestamps_are_the_brokers() -> None:
    config = load_topics(Settings())["trades"].kafka_config(Settings(min_insync_replicas=2))
    assert config["retention.ms"] == str(3 * DAY_MS)
    assert config["retention.bytes"] == "-1"
    assert config["message.timestamp.type"] == "LogAppendTime"
    assert config["min.insync.replicas"] == "2"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ("cleanup: delete", "needs a `retention`"),
        ("cleanup: compact\n  retention: 1d", "takes none"),
        ("cleanup: delete\n  retention: 3 days", "'3 days' is not a duration"),
        ("cleanup: delete\n  retention: 1d\n  config: {retention.bytes: 1}", "retention by size"),
        ("cleanup: delete\n  retention: 1d\n  colour: red", "colour"),
        ("cleanup: delete\n  retention: 1d\n  view: true", "changelogs of tables"),
    ],
)
def test_a_wrong_topic_is_refused_and_named(tmp_path: Path, fields: str, complaint: str) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text(f"ticks:\n  key: k\n  schemas: []\n  partitions: 1\n  {fields}\n")
    with pytest.raises(TopicsFileError, match=complaint) as raised:
        read_topics(file)
    assert str(raised.value).startswith(f"{file}: topic ticks: ")


@pytest.mark.parametrize(
    ("partitions", "complaint"),
    [("tradez", "partitions\n.*'tradez'"), ("[4]", r"partitions\n"), ("0", r"partitions\n")],
)
def test_partitions_that_are_neither_a_number_nor_a_topic_are_refused_by_the_topics_name(
    tmp_path: Path, partitions: str, complaint: str
) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text(
        "other: {key: k, schemas: [], partitions: 1, cleanup: compact}\n"
        f"ticks: {{key: k, schemas: [], partitions: {partitions}, cleanup: compact}}\n"
    )
    with pytest.raises(TopicsFileError, match=complaint) as raised:
        read_topics(file)
    assert str(raised.value).startswith(f"{file}: topic ticks: ")


def test_config_overrides_nothing_that_a_topic_has_by_its_other_fields(tmp_path: Path) -> None:
    file = tmp_path / "topics.yaml"
    kept = "key: k, schemas: [], partitions: 1, cleanup: delete, retention: 3d"
    file.write_text(f"ticks: {{{kept}}}\n")
    own = read_topics(file)["ticks"].kafka_config(Settings())
    for key in own:
        file.write_text(f"ticks: {{{kept}, config: {{{key}: 60000}}}}\n")
        with pytest.raises(TopicsFileError, match=rf"topic ticks: (.|\n)*{re.escape(key)}: "):
            read_topics(file)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "topics.yaml"
    file.write_bytes("ticks: {key: Schlüssel}\n".encode("latin-1"))
    with pytest.raises(TopicsFileError, match="it must be UTF-8"):
        read_topics(file)


def test_a_topic_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "topics.yaml"
    fields = "{key: k, schemas: [], partitions: 1, cleanup: delete, retention: 3d}"
    file.write_text(f"ticks: {fields}\nbars: {fields}\nticks: {fields}\n")
    with pytest.raises(TopicsFileError, match=r"topics\.yaml: line 3: ticks was named already, in line 1"):
        read_topics(file)


def test_a_missing_file_says_which_setting_names_it(tmp_path: Path) -> None:
    with pytest.raises(TopicsFileError, match="LIVETAPE_TOPICS_FILE"):
        read_topics(tmp_path / "none.yaml")


def test_every_declared_schema_is_in_the_schemas_folder() -> None:
    declared = {name for topic in load_topics(Settings()).values() for name in topic.schemas}
    on_disk = {f"livetape.{path.stem.capitalize()}" for path in (PROJECT / "schemas").glob("*.avsc")}
    assert declared == on_disk == {f"livetape.{name}" for name in RECORDS}
