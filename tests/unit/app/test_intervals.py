"""Intervals are names: what each of them says, and which cannot be."""

import pytest
from pydantic import ValidationError

from app.intervals import read_interval
from app.settings import Settings
from app.units import DAY_NS, SECOND_NS


@pytest.mark.parametrize(
    ("name", "length_s", "hop_s"),
    [("1s", 1, 1), ("90s", 90, 90), ("1d", 86_400, 86_400), ("5m/1m", 300, 60), ("90m/15m", 5_400, 900)],
)
def test_an_interval_says_length_and_hop(name: str, length_s: int, hop_s: int) -> None:
    assert read_interval(name) == (name, length_s * SECOND_NS, hop_s * SECOND_NS)


def test_every_length_of_whole_seconds_that_divides_a_day_is_an_interval() -> None:
    lengths_s = [length for length in range(1, 86_401) if DAY_NS % (length * SECOND_NS) == 0]
    assert [read_interval(f"{length}s").length_ns // SECOND_NS for length in lengths_s] == lengths_s


@pytest.mark.parametrize(
    ("intervals", "reason"),
    [
        ((), "the first interval"),
        (("1s", "7m"), "7m does not divide a day"),
        (("1s", "0m"), "0m does not divide a day"),
        (("1s", "2d"), "2d does not divide a day"),
        (("1s", "minute"), "'minute' is not a duration"),
        (("1s", "1m", "1m"), "1m is behind 1m: finest first"),
        (("1m", "1s"), "1s is behind 1m: finest first"),
        (("2s", "5s"), "5s is not made of windows of a finer interval"),
        (("1m/1s", "1m"), "cannot hop"),
        (("1s", "5m/1m", "5m/60s"), "are the same windows"),
        (("1m", "5m/30s"), "5m/30s is not made of windows of a finer interval"),
        (("1s", "5m/7m"), "7m does not divide a day"),
        (("1s", "5m/2m"), "2 to 60 times its hop"),
        (("1s", "1m/1m"), "2 to 60 times its hop"),
        (("1s", "1d/1m"), "2 to 60 times its hop"),
        (("1s", "2d/1d"), "at most a day"),
        (("1s", "5m/"), "'' is not a duration"),
    ],
)
def test_intervals_that_no_bars_can_be_made_of_are_refused(intervals: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Settings(intervals=intervals)
