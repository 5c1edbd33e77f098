"""`livetape topics`: make the cluster agree with topics.yaml."""

import typer
from rich.table import Table

from app import topic_admin
from app.settings import Settings
from app.topics import Topic, load_topics
from app.units import SECOND_NS
from cli.console import console, done

topics = typer.Typer(no_args_is_help=True, help="The topics of topics.yaml.")


@topics.command("apply")
def apply_topics() -> None:
    """Create and alter topics to match topics.yaml; refuse what would lose data."""
    settings = Settings()
    for action in topic_admin.apply(settings):
        done(action.name, action.what)
    console.print(f"\n{topic_admin.horizon_memory(settings)}", style="dim")


@topics.command("list")
def list_topics() -> None:
    """Show the declared topics; needs no cluster."""
    settings = Settings()
    rows = {settings.topic(topic.name): _cells(topic) for topic in load_topics(settings).values()}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("topic", min_width=max(map(len, rows)))  # whole, however narrow the terminal, or the pipe, is
    for column in ("partitions", "kept", "schemas", "batch", "view"):
        table.add_column(column)
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)


def _cells(topic: Topic) -> list[str]:
    kept = "latest of a key" if topic.retention_ns is None else _duration(topic.retention_ns // SECOND_NS)
    schemas = ", ".join(name.rpartition(".")[2] for name in topic.schemas)
    return [str(topic.partitions), kept, schemas, *("yes" if mark else "" for mark in (topic.batch, topic.view))]


def _duration(seconds: int) -> str:
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
