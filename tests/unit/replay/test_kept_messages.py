"""What a re-request server has: each stretch between two holes, however long these are."""

import pytest

from replay.kept_messages import KeptMessages


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [
        (0, 3, []),
        (1, 1, [b"1"]),
        (1, 9, [b"1", b"2"]),
        (2, 9, [b"2"]),
        (3, 9, []),
        (1 << 60, 9, []),
        ((1 << 60) + 3, 9, [b"3", b"4"]),
        ((1 << 60) + 4, 1, [b"4"]),
        ((1 << 60) + 5, 9, []),
    ],
)
def test_a_stretch_ends_before_the_next_hole(first: int, count: int, expected: list[bytes]) -> None:
    kept = KeptMessages()
    kept.add([b"1"])
    kept.add([b"2"])
    kept.skip(1 << 60)
    kept.add([b"3", b"4"])
    assert kept.next_number == (1 << 60) + 5
    assert kept.stretch(first, count) == expected
