"""How much of a record a dead letter keeps and what it says of the rest; what is told of those of a flush."""

import pytest
from prometheus_client import CollectorRegistry, Counter

from agents.dead_letters import dead_letter, report
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


async def test_dead_letters_of_a_flush_are_counted_and_told_by_reason_whatever_number_it_names(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = CollectorRegistry()
    counter = Counter("letters", "Of a test.", ["reason"], registry=registry)
    reasons = ["unknown schema id 7", "no name", "unknown schema id 8", "unknown schema id 7"]
    letters = [(b"key", b"value", offset, reason) for offset, reason in enumerate(reasons, start=40)]
    await report("trades", 2, letters, counter)
    assert [record.getMessage() for record in caplog.records] == [
        "dead letters: topic trades partition 2: 3 in one flush, the first of them at offset 40: unknown schema id 7",
        "dead letter: topic trades partition 2 offset 41: no name",
    ]
    for reason, count in (("unknown schema id", 3), ("no name", 1)):
        assert registry.get_sample_value("letters_total", {"reason": reason}) == count
