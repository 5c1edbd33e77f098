"""A short run of `make chaos`."""

from pathlib import Path

from tests.chaos.storm.run import run
from tests.chaos.storm.tally import Tally

SECONDS = 30.0
"""One market, and less than a round of it: a minute more of every run of the tests is much."""
SEED = 115
"""One that at once freezes and crashes workers, stops both servers, and has trades come late and again."""


def test_every_bar_is_right_after_half_a_minute_in_which_everything_goes_wrong(tmp_path: Path) -> None:
    tally = Tally()
    run(tmp_path, SEED, SECONDS, tally)
    tally.tell()
    assert tally.faults.total() > 0
    assert tally.checked["final bars in topics, SQL and the view"] > 0
    assert tally.checked["of them carried out"] > 0
