"""A short run of `make chaos`."""

from pathlib import Path

from tests.chaos.storm.run import run
from tests.chaos.storm.tally import Tally

SECONDS = 40.0
"""One round of one market."""
SEED = 28
"""One whose first round kills and freezes workers, stops both servers, and has trades that come late and again."""


def test_every_bar_is_right_after_a_round_in_which_everything_goes_wrong(tmp_path: Path) -> None:
    tally = Tally()
    run(tmp_path, SEED, SECONDS, tally)
    tally.tell()
    assert tally.faults.total() > 0
    assert tally.checked["final bars in topics, SQL and the view"] > 0
