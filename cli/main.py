"""The `livetape` command: one sub-command a job."""

import sys

import typer

from cli import demo, doctor, parts, servers, state
from cli.console import EXPECTED, explain, print_any_letter
from cli.dead_letters import dead_letters
from cli.topics import topics
from replay.command import app as replay

app = typer.Typer(
    name="livetape",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Trades from many exchanges, folded into exact bars and shown live.",
)

for panel, commands in {
    "Everything at once": (demo.demo, demo.live),
    "Servers of one machine": (servers.up, servers.down, servers.status, doctor.doctor),
    "Parts": (
        parts.bridge,
        parts.relay,
        parts.record,
        parts.worker,
        parts.join,
        parts.sink,
        parts.reconcile,
        parts.serve,
        parts.topology,
        state.reset,
    ),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)

app.add_typer(topics, name="topics", rich_help_panel="Parts")
app.add_typer(dead_letters, name="dead-letters", rich_help_panel="Parts")
app.add_typer(replay, name="replay", rich_help_panel="Parts")


def main() -> None:
    """Run a command; an expected error ends it with a plain message and exit code 1."""
    print_any_letter()
    try:
        app()
    except EXPECTED as error:
        explain(error)
        sys.exit(1)
