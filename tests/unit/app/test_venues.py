"""venues.yaml is read as it says, and refused with the reason where it cannot be followed."""

from pathlib import Path

import pytest

from app.settings import Settings
from app.venues import VenuesFileError, all_intervals, read_venues


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "venues.yaml"
    path.write_text(text)
    return path


def test_hours_are_of_a_venue_and_of_single_instruments(tmp_path: Path) -> None:
    text = """
    nasdaq:
      hours: {calendar: NASDAQ, post: 90m, bars: {1d: [regular], extended: [pre, regular, post]}}
      instrument_hours: {NQ-USD: {calendar: CME_Equity, bars: {globex: [regular]}}}
    """
    venues = read_venues(written(tmp_path, text))
    hours = venues["nasdaq"].all_hours
    assert (hours[""].calendar, hours[""].pre_ns, hours[""].post_ns) == ("NASDAQ", None, 5_400_000_000_000)
    assert hours["NQ-USD"].calendar == "CME_Equity"
    assert all_intervals(("1s", "1d"), venues.values()) == ("1s", "1d", "globex", "extended")


@pytest.mark.parametrize(
    ("hours", "reason"),
    [
        ("{calendar: NYSE, bars: {1d: [pre, post]}}", "hours that follow each other"),
        ("{calendar: NYSE, bars: {1d: [post, regular]}}", "in the order pre, regular, post"),
        ("{calendar: NYSE, bars: {1d: []}}", "hours that follow each other"),
        ("{calendar: NYSE, bars: {1h: [regular]}}", "'1h': bars by an exchange's hours are 1d, or a name"),
        ("{calendar: NYSE, bars: {1d: [lunch]}}", "'pre', 'regular' or 'post'"),
        ("{calendar: NYSE, pre: soon, bars: {1d: [pre]}}", "'soon' is not a duration"),
        ("{bars: {1d: [regular]}}", "calendar"),
    ],
)
def test_hours_that_cannot_be_are_refused(tmp_path: Path, hours: str, reason: str) -> None:
    with pytest.raises(VenuesFileError, match=reason):
        read_venues(written(tmp_path, f"nasdaq: {{hours: {hours}}}"))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "venues.yaml"
    path.write_bytes("nasdaq: {calendar: Börse}\n".encode("latin-1"))
    with pytest.raises(VenuesFileError, match="it must be UTF-8"):
        read_venues(path)


def test_the_projects_own_file_can_be_followed() -> None:
    assert read_venues(Settings().venues_file)
