"""The topology of the workers, with no broker."""

import runpy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from faust.types import StreamT

from agents.quote_join import build_join
from agents.reconcile import build_reconcile
from agents.sql_sink import build_sink
from agents.topology import topology
from agents.worker import build_worker
from app.settings import PROJECT, Settings
from app.topics import load_topics

SETTINGS = Settings()
BUILDS = (build_worker, build_join, build_sink, build_reconcile)
GOLDEN = Path(__file__).with_name("workers.txt").read_text()


def test_records_take_the_way_of_the_golden_file() -> None:
    assert "\n".join(topology(build(SETTINGS)) for build in BUILDS) == GOLDEN


def test_every_topic_of_the_way_is_declared_in_topics_yaml() -> None:
    named = {
        word
        for word in GOLDEN.split()
        if word.startswith("live.") and word not in {"live.fold", "live.join", "live.sql", "live.reconcile"}
    }
    declared = {SETTINGS.topic(name) for name in load_topics(SETTINGS)}
    assert named == declared


@pytest.mark.parametrize("build", BUILDS)
def test_a_worker_takes_as_record_sets_what_topics_yaml_calls_batch(build: Any) -> None:
    batch = {SETTINGS.topic(name) for name, topic in load_topics(SETTINGS).items() if topic.batch}
    assert build(SETTINGS).batch_topics <= batch


def test_the_docs_show_the_way_through_a_user_s_own_agents(tmp_path: Path) -> None:
    module = tmp_path / "orders.py"
    page = (PROJECT / "docs" / "own-agents.md").read_text()
    module.write_text(page.partition("```python\n")[2].partition("```")[0])
    app = runpy.run_path(str(module))["app"]
    ours, theirs = GOLDEN.partition("\n\n")[0], page.partition("```text\n")[2].partition("```")[0]
    assert sorted(topology(app).splitlines()) == sorted([*ours.splitlines(), *theirs.splitlines()])


def test_a_user_s_own_agent_and_table_are_shown_beside_ours() -> None:
    app = build_worker(SETTINGS)
    orders = app.topic("orders", value_type=str)
    counts = app.Table("counts", default=int)

    @app.agent(orders, name="count_orders")
    async def count_orders(names: StreamT[Any]) -> AsyncIterator[int]:
        async for name in names:
            counts[name] += 1
            yield counts[name]

    assert "  orders → count_orders\n" in topology(app)
    assert "  counts (table) → live.fold-counts-changelog\n" in topology(app)
