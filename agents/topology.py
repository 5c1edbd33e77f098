"""The way of records through a worker as text: topic → agent → table or sink → topics and tables. Connects nothing."""

from collections.abc import Iterator

from agents.transport import BatchApp


def topology(app: BatchApp) -> str:
    """One line for each step of the way, ordinary agents and tables of users among them."""
    return "\n".join([app.conf.id, *(f"  {line}" for line in _lines(app))]) + "\n"


def _lines(app: BatchApp) -> Iterator[str]:
    source = app.batch_source
    taker = "nothing" if source is None else source.name
    for agent in app.agents.values():
        for topic in agent.get_topic_names():
            if topic in app.batch_topics:
                yield f"{topic} (record sets) → {agent.name} → {taker}"
            else:
                yield f"{topic} → {agent.name}"
    if source is not None:
        yield from (f"{source.name} → {output}" for output in source.outputs)
    for name, table in app.tables.items():
        if table is not source:
            yield f"{name} (table) → {table.changelog_topic.get_topic_name()}"
