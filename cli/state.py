"""`livetape reset`: delete the state of the fold or the join."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from app.kafka_admin import check_answers
from app.settings import Settings
from cli.console import done, fail

if TYPE_CHECKING:
    from agents.fold.reset import FoldReset
    from agents.join.reset import JoinReset


def reset(
    *,
    join: Annotated[bool, typer.Option("--join", help="Reset the join and its output instead of the fold.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete the fold's state, so that the log is folded from its start again; stop the workers first.

    Bars of the new generation replace earlier ones of the same interval and start, in the topics, in Postgres and on
    the page. A bar stays as it is where the log no longer has all trades of its window, or where its exchange's hours
    have changed: docs/operating.md explains how to delete such bars.
    """
    from agents.reset import ResetRefused  # noqa: PLC0415 - `livetape --help` should not wait for Faust
    from agents.topic_check import TopicsUnfit  # noqa: PLC0415 - as above

    settings = Settings()
    if not yes:
        typer.confirm(_question(settings, join=join), abort=True)
    check_answers(settings)
    try:
        for partition, said in _join(settings) if join else _fold(settings):
            done(f"partition {partition}", said)
    except (ResetRefused, TopicsUnfit) as error:
        fail(str(error))
        raise typer.Exit(1) from error


def _question(settings: Settings, *, join: bool) -> str:
    if join:
        return f"Delete all joined trades of {settings.namespace} and join both logs again?"
    return f"Delete the fold's state of {settings.namespace} and fold the log again?"


def _fold(settings: Settings) -> Iterator[tuple[int, str]]:
    from agents.fold.reset import reset_fold  # noqa: PLC0415 - as above

    for made in reset_fold(settings):
        yield made.partition, _fold_said(made)


def _join(settings: Settings) -> Iterator[tuple[int, str]]:
    from agents.join.reset import reset_join  # noqa: PLC0415 - as above

    for made in reset_join(settings):
        yield made.partition, _join_said(made)


def _fold_said(made: "FoldReset") -> str:
    said = (
        f"{made.deleted:,} records of state deleted; generation {made.generation} begins at offset {made.next_offset}"
    )
    if made.next_offset == 0:
        return said
    return f"{said}: bars that may have begun before that record stay as they are"


def _join_said(made: "JoinReset") -> str:
    return (
        f"state and joined trades deleted; joined again from trade {made.trades_offset} and quote {made.quotes_offset}"
    )
