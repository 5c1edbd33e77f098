"""What waiting can mend is waited for, and nothing else."""

import pytest

from agents.sink import patience
from agents.sink.patience import patiently
from app.schema_lookup import RegistryAway


async def test_an_attempt_is_made_again_until_who_is_away_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0)
    answers: list[Exception | int] = [RegistryAway("no answer"), RegistryAway("no answer"), 7]

    async def attempt() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await patiently(attempt) == 7


async def test_an_error_that_stays_is_raised() -> None:
    async def attempt() -> None:
        raise ValueError("a wrong row")

    with pytest.raises(ValueError, match="a wrong row"):
        await patiently(attempt)
