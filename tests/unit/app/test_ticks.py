"""Holes in a bridge session's numbers."""

from app.ticks import Sequences

ONE, TWO = b"1" * 16, b"2" * 16


def test_holes_are_counted_within_a_session_of_a_venue() -> None:
    sequences = Sequences()
    heard = [
        ("binance", ONE, 40, 0),  # joined in the middle: nothing is known to be missing
        ("binance", ONE, 41, 0),
        ("kraken", ONE, 7, 0),
        ("binance", ONE, 45, 3),
        ("binance", ONE, 44, 0),  # late or again
        ("binance", ONE, 46, 0),
        ("binance", TWO, 1, 0),  # the bridge started anew
        ("binance", TWO, 3, 1),
    ]
    missing = [sequences.missing_before(venue, session, number) for venue, session, number, _ in heard]
    assert missing == [expected for *_, expected in heard]
