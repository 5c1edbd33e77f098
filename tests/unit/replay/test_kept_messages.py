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
    kept = KeptMessages(100)
    kept.add([b"1"])
    kept.add([b"2"])
    kept.skip(1 << 60)
    kept.add([b"3", b"4"])
    assert kept.next_number == (1 << 60) + 5
    assert kept.stretch(first, count) == expected


def test_the_oldest_messages_go_where_there_is_no_room() -> None:
    kept = KeptMessages(room=40)
    sent: list[bytes] = []
    for number in range(1, 200):
        if number % 7 == 0:
            kept.skip(1)
            sent.append(b"")
        else:
            sent.append(b"%d" % number)
            kept.add(sent[-1:])
        there = [kept.stretch(each, 1) for each in range(1, number + 1)]
        oldest = next(place for place, found in enumerate(there) if found)
        assert [found[0] if found else b"" for found in there[oldest:]] == sent[oldest:]
        if sum(map(len, sent)) <= 40:
            assert oldest == 0
        assert sum(map(len, sent[oldest:])) < 40 + 2 * 3  # a half takes one message more than it has room for
        assert oldest == 0 or sum(map(len, sent[oldest:])) > 20


def test_a_stretch_goes_over_the_place_where_messages_were_forgotten_up_to() -> None:
    kept = KeptMessages(room=4)
    for message in (b"1", b"2", b"3", b"4"):
        kept.add([message])
    assert kept.stretch(1, 9) == [b"1", b"2", b"3", b"4"]
    kept.add([b"5"])
    assert kept.stretch(1, 9) == []
    assert kept.stretch(3, 2) == [b"3", b"4"]
    assert kept.stretch(3, 9) == [b"3", b"4", b"5"]
