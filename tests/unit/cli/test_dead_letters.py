"""`livetape dead-letters`: `list` shows all, or says that there are more; `send` says what was not sent."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from app.dead_letters import DeadLetter, NotAllSent
from app.settings import Settings
from cli import dead_letters

LETTERS = [
    DeadLetter(
        topic="live.trades",
        partition=0,
        offset=offset,
        time=datetime(2026, 3, 9, tzinfo=UTC),
        reason="even" if offset % 2 == 0 else "odd",
        key="00",
        value="01",
    )
    for offset in range(3_000)
]


@pytest.fixture(autouse=True)
def _log(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: Settings) -> Iterator[DeadLetter]:
        yield from LETTERS

    monkeypatch.setattr(dead_letters, "read", read)


def listed(*options: str) -> tuple[list[DeadLetter], str]:
    ended = CliRunner().invoke(dead_letters.dead_letters, ["list", "--json", *options])
    assert ended.exit_code == 0
    return [DeadLetter.model_validate_json(line) for line in ended.stdout.splitlines()], ended.stderr


def test_all_are_listed_so_that_none_is_left_out_of_what_is_sent_again() -> None:
    assert listed() == (LETTERS, "")


@pytest.mark.parametrize(("limit", "said"), [(1_499, "There are more, which --limit 1499 leaves out.\n"), (1_500, "")])
def test_one_that_is_left_out_by_a_limit_is_told(limit: int, said: str) -> None:
    assert listed("--reason", "odd", "--limit", str(limit)) == (LETTERS[1::2][:limit], said)


def test_sending_that_ended_midway_does_not_say_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(_: Settings, letters: Iterable[DeadLetter]) -> int:
        raise NotAllSent(f"the second is refused\n1 of {len(list(letters))} were sent")

    monkeypatch.setattr(dead_letters, "send", send)
    lines = "\n".join(letter.model_dump_json() for letter in LETTERS[:2])
    ended = CliRunner().invoke(dead_letters.dead_letters, ["send", "-"], input=lines)
    assert ended.exit_code == 1
    assert ended.stderr == "error: the second is refused\n1 of 2 were sent\n"
