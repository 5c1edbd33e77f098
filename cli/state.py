"""`livetape reset`: the fold's state thrown away."""

from typing import TYPE_CHECKING, Annotated

import typer
from confluent_kafka import KafkaException

from app.settings import Settings
from cli.console import done, fail

if TYPE_CHECKING:
    from agents.reset import Reset


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 - Typer's flag
) -> None:
    """Throw the fold's state away, so that the log is folded from its start again; the workers must be stopped.

    Bars of the new generation outrank all before, in the topics, in Postgres and on the page. What the log no longer
    has is not folded again: its bars stay as they are.
    """
    from agents.reset import ResetRefused  # noqa: PLC0415 - `livetape --help` should not wait for Faust
    from agents.reset import reset as run  # noqa: PLC0415
    from agents.topic_check import TopicsUnfit  # noqa: PLC0415

    settings = Settings()
    if not yes:
        typer.confirm(f"Throw the fold's state of {settings.namespace} away and fold the log again?", abort=True)
    try:
        for made in run(settings):
            done(f"partition {made.partition}", _said(made))
    except (ResetRefused, TopicsUnfit, KafkaException) as error:
        fail(str(error))
        raise typer.Exit(1) from error


def _said(made: "Reset") -> str:
    said = (
        f"{made.deleted:,} records of state deleted; generation {made.generation} begins at offset {made.next_offset}"
    )
    if made.next_offset == 0:
        return said
    return f"{said}: bars that began before that record are made of what the log still has of them"
