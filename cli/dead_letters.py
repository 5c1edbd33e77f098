"""`livetape dead-letters`: what could not be folded or joined, and sending it again."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape

from app.dead_letters import CannotSend, DeadLetter, NotAllSent, read, send
from app.settings import Settings
from cli.console import console, done, errors, fail

dead_letters = typer.Typer(no_args_is_help=True, help="Records that could not be folded or joined.")
SHOWN_BYTES = 48


@dead_letters.command("list")
def list_letters(
    *,
    reason: Annotated[str, typer.Option(help="Only those whose reason contains this text.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Show at most this many.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line, all bytes in hexadecimal.")] = False,
) -> None:
    """Show dead letters: topic, partition and offset of each, the reason, and its bytes."""
    found = (letter for letter in read(Settings()) if reason in letter.reason)
    for letter in itertools.islice(found, limit):
        if json:
            print(letter.model_dump_json())
        else:
            _show(letter)
    if next(found, None) is not None:
        errors.print(f"There are more, which --limit {limit} leaves out.")


@dead_letters.command("send")
def send_letters(
    file: Annotated[
        Path, typer.Argument(help="Lines of `list --json`, corrected or unchanged; - reads standard input.")
    ],
) -> None:
    """Send dead letters to their topics again, once their bytes are corrected or the cause is removed."""
    try:
        count = send(Settings(), _parsed(file))
    except CannotSend as error:
        fail(f"{error}\nnothing was sent")
        raise typer.Exit(1) from error
    except NotAllSent as error:
        fail(str(error))
        raise typer.Exit(1) from error
    done(f"{count:,} records", "sent again")


def _parsed(file: Path) -> Iterator[DeadLetter]:
    try:
        text = (sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).decode()
    except OSError as error:
        raise CannotSend(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CannotSend(f"{file}: it must be UTF-8, as `list --json` prints it: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        try:
            yield DeadLetter.model_validate_json(line)
        except ValidationError as error:
            raise CannotSend(f"{file} line {number}: {error}") from error


def _show(letter: DeadLetter) -> None:
    where = f"{letter.topic} partition {letter.partition} offset {letter.offset}"
    console.print(f"[bold]{escape(where)}[/]  {letter.time:%Y-%m-%d %H:%M:%S} UTC")
    console.print(f"  {escape(letter.reason)}")
    for name, data in (("key", letter.key), ("value", letter.value)):
        console.print(f"  [dim]{name:<6}[/] {escape(_readable(data))}")


def _readable(data: str | None) -> str:
    """The bytes as text where they are printable, else escaped; cut where they are many."""
    if data is None:
        return "none"
    raw = bytes.fromhex(data)
    text = raw[:SHOWN_BYTES].decode("ascii", "backslashreplace")
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return shown if len(raw) <= SHOWN_BYTES else f"{shown}… ({len(raw):,} bytes)"
