"""What the commands print."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from app.aggregates import AggregatesUnfit
from app.topic_admin import TopicError
from app.topics import TopicsFileError
from local.errors import LocalError

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
EXPECTED = (LocalError, AggregatesUnfit, TopicError, TopicsFileError, ValidationError)
"""Errors whose message says it all; any other keeps its traceback."""
NAME_WIDTH = 26


def explain(error: Exception) -> None:
    """Print an expected error as people should meet it."""
    fail(_settings_problem(error) if isinstance(error, ValidationError) else str(error))


def fail(message: str) -> None:
    """Print an error: its first line stands out, the rest is detail."""
    first, _, rest = message.partition("\n")
    errors.print(f"[bold red]error:[/] {escape(first)}")
    if rest:
        errors.print(escape(rest), style="dim")


def done(name: str, detail: str = "", seconds: float | None = None) -> None:
    """Print that something is done."""
    took = "" if seconds is None else f"[dim]{seconds:6.1f} s[/]"
    console.print(f"  [green]✓[/] {name:<{NAME_WIDTH}} {escape(detail):<40} {took}".rstrip())


def broken(name: str, remedy: str) -> None:
    """Print that something is not as it should be, and what to do."""
    console.print(f"  [red]✗[/] {name:<{NAME_WIDTH}} {escape(remedy)}")


@contextmanager
def step(name: str, detail: str = "") -> Iterator[None]:
    """Show that a step is under way, and when it is done how long it took."""
    began = time.monotonic()
    with working(name):
        yield
    done(name, detail, time.monotonic() - began)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on a terminal, a line elsewhere."""
    if not sys.stdout.isatty():
        yield
        return
    with console.status(f"{what} …"):
        yield


def _settings_problem(error: ValidationError) -> str:
    lines = [f"LIVETAPE_{'__'.join(map(str, part['loc'])).upper()}: {part['msg']}" for part in error.errors()]
    return "a setting is wrong\n" + "\n".join(lines)
