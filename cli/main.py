"""The `livetape` command: one sub-command a job."""

import typer

app = typer.Typer(
    name="livetape", no_args_is_help=True, help="Trades from many exchanges, folded into exact bars and shown live."
)


@app.callback()
def _root() -> None:
    """Keep sub-commands even while there is only one."""
