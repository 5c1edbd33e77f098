"""What `livetape topics apply` would do, and what it refuses, decided without a cluster."""

from collections.abc import Mapping

import pytest

from app.settings import Settings
from app.topic_admin import ClusterTopic, TopicsRefused, plan
from app.topics import Topic, load_topics
from app.units import DAY_NS

SETTINGS = Settings(namespace="live")
TOPICS = load_topics(SETTINGS)
DAY_MS = 86_400_000


def as_declared(topic: Topic, *, is_empty: bool = False, partitions: int | None = None, **config: str) -> ClusterTopic:
    spelled = {key.replace("_", "."): value for key, value in config.items()}
    return ClusterTopic(
        partitions or topic.partitions, 1, {**topic.kafka_config(SETTINGS), **spelled}, is_empty=is_empty
    )


def cluster_with(name: str, topic: ClusterTopic) -> dict[str, ClusterTopic]:
    rest = {SETTINGS.topic(other): as_declared(declared) for other, declared in TOPICS.items()}
    return {**rest, SETTINGS.topic(name): topic}


def changes(cluster: Mapping[str, ClusterTopic]) -> dict[str, str]:
    return {action.name: action.what for action in plan(TOPICS, cluster, SETTINGS) if action.what != "unchanged"}


def test_an_empty_cluster_gets_every_topic() -> None:
    assert changes({}) == {SETTINGS.topic(name): "created" for name in TOPICS}


def test_a_cluster_that_agrees_is_left_alone() -> None:
    assert changes(cluster_with("bars", as_declared(TOPICS["bars"]))) == {}


def test_a_longer_retention_is_set_on_a_topic_with_records() -> None:
    shorter = as_declared(TOPICS["bars"], retention_ms=str(DAY_MS))
    assert changes(cluster_with("bars", shorter)) == {"live.bars": f"retention.ms = {7 * DAY_MS}"}


def test_an_empty_topic_may_get_more_partitions_and_another_cleanup() -> None:
    other = as_declared(TOPICS["trades"], is_empty=True, partitions=2, cleanup_policy="compact")
    assert changes(cluster_with("trades", other)) == {"live.trades": "partitions = 4, cleanup.policy = delete"}


def test_a_changelog_that_a_reset_was_killed_over_gets_its_cleanup_back() -> None:
    """A reset lets Kafka delete from it for a moment; taking that back drops nothing."""
    left = as_declared(TOPICS["fold-bars-changelog"], cleanup_policy="compact,delete")
    assert changes(cluster_with("fold-bars-changelog", left)) == {
        "live.fold-bars-changelog": "cleanup.policy = compact"
    }


@pytest.mark.parametrize(
    ("existing", "complaint"),
    [
        (as_declared(TOPICS["trades"], partitions=2), "would move its keys"),
        (as_declared(TOPICS["trades"], partitions=8), "cannot take partitions away"),
        (as_declared(TOPICS["trades"], partitions=8, is_empty=True), "cannot take partitions away"),
        (as_declared(TOPICS["trades"], cleanup_policy="compact"), "cleanup delete would drop"),
        (as_declared(TOPICS["trades"], retention_ms=str(9 * DAY_MS)), "earlier than promised"),
        (as_declared(TOPICS["trades"], retention_ms="-1"), "earlier than promised"),
    ],
)
def test_what_would_lose_data_is_refused_and_nothing_else_is_done(existing: ClusterTopic, complaint: str) -> None:
    with pytest.raises(TopicsRefused, match=complaint) as refused:
        plan(TOPICS, cluster_with("trades", existing), SETTINGS)
    assert "live.trades" in refused.value.reasons[0]
    assert "nothing was changed" in str(refused.value)


def test_what_to_do_about_an_empty_topic_that_a_broker_made_by_itself_is_said() -> None:
    remedy = r"move replicas .*\. It is empty: if a broker made it by itself .*, delete it and apply again"
    three = SETTINGS.model_copy(update={"replication_factor": 3})
    made = as_declared(TOPICS["trades"], is_empty=True, partitions=1)
    with pytest.raises(TopicsRefused, match=f"live.trades: it has 1 replicas.* 3: {remedy}"):
        plan(TOPICS, {"live.trades": made}, three)
    with pytest.raises(TopicsRefused) as refused:
        plan(TOPICS, {"live.trades": as_declared(TOPICS["trades"])}, three)
    assert "delete it" not in str(refused.value)


def test_trades_must_outlast_the_horizon_and_the_longest_outage() -> None:
    too_long = SETTINGS.model_copy(update={"longest_outage_ns": 3 * DAY_NS})
    with pytest.raises(TopicsRefused, match="longest outage, 260100 s"):
        plan(TOPICS, {}, too_long)


def test_more_in_sync_replicas_than_replicas_are_refused() -> None:
    with pytest.raises(TopicsRefused, match="no write would succeed"):
        plan(TOPICS, {}, SETTINGS.model_copy(update={"min_insync_replicas": 2}))
