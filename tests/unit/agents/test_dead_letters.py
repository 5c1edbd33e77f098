"""How much of a record a dead letter keeps, and what it says of the rest."""

import pytest

from agents.dead_letters import dead_letter
from app.dead_letters import MAX_BYTES


@pytest.mark.parametrize(
    ("key", "value", "lengths", "said"),
    [
        (3, MAX_BYTES - 3, (3, MAX_BYTES - 3), {}),
        (None, None, (None, None), {}),
        (3, MAX_BYTES + 1, (0, MAX_BYTES), {"key_bytes": b"3", "value_bytes": b"900001"}),
        (7, MAX_BYTES - 3, (3, MAX_BYTES - 3), {"key_bytes": b"7"}),
        (MAX_BYTES + 1, None, (MAX_BYTES, None), {"key_bytes": b"900001"}),
    ],
)
def test_what_is_kept_in_part_says_how_long_it_was(
    key: int | None, value: int | None, lengths: tuple[int | None, int | None], said: dict[str, bytes]
) -> None:
    whole = {"key": None if key is None else bytes(key), "value": None if value is None else bytes(value)}
    kept_key, kept_value, headers = dead_letter("live.trades", 2, 7, "any", **whole)
    assert tuple(None if part is None else len(part) for part in (kept_key, kept_value)) == lengths
    place = {"topic": b"live.trades", "partition": b"2", "offset": b"7", "reason": b"any"}
    assert dict(headers) == place | said
