"""The way of records through a worker as text: topic → agent → table or sink → topics and tables. Connects nothing."""

from collections.abc import Iterator

from faust.types import AgentT, TopicT
from faust.types.agents import SinkT

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
                yield " → ".join([topic, agent.name, *map(_sink, agent._sinks)])  # noqa: SLF001 - Faust has no other way
    if source is not None:
        yield from (f"{source.name} → {output}" for output in source.outputs)
    for name, table in app.tables.items():
        if table is not source:
            yield f"{name} (table) → {table.changelog_topic.get_topic_name()}"


def _sink(sink: SinkT) -> str:
    """What an agent's results go to: a topic, another agent, or a function."""
    if isinstance(sink, TopicT):
        return sink.get_topic_name()
    return sink.name if isinstance(sink, AgentT) else str(getattr(sink, "__qualname__", sink))
