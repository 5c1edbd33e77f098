"""venues.yaml is read as it says, and refused with the reason where it cannot be followed."""

from pathlib import Path

import pytest

from app.settings import Settings
from app.venues import Candles, VenuesFileError, all_intervals, read_venues


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "venues.yaml"
    path.write_text(text)
    return path


def test_hours_are_of_a_venue_and_of_single_instruments(tmp_path: Path) -> None:
    text = """
    nasdaq:
      hours: {calendar: NASDAQ, closing_auction: 5s, post: 90m, bars: {1d: [regular], extended: [pre, regular, post]}}
      instrument_hours: {NQ-USD: {calendar: CME_Equity, bars: {globex: [regular]}}}
    """
    venues = read_venues(written(tmp_path, text))
    hours = venues["nasdaq"].all_hours
    assert (hours[""].calendar, hours[""].pre_ns, hours[""].post_ns) == ("NASDAQ", None, 5_400_000_000_000)
    assert hours[""].closing_auction_ns == 5_000_000_000
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
        ("{calendar: NYSE, closing_auction: 0m, bars: {1d: [regular]}}", "greater than 0"),
        ("{bars: {1d: [regular]}}", "calendar"),
    ],
)
def test_hours_that_cannot_be_are_refused(tmp_path: Path, hours: str, reason: str) -> None:
    with pytest.raises(VenuesFileError, match=reason):
        read_venues(written(tmp_path, f"nasdaq: {{hours: {hours}}}"))


def test_a_trade_that_sets_the_open_or_close_and_not_the_range_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "nasdaq: {conditions: {odd-lot: [open_close, volume]}}")
    with pytest.raises(VenuesFileError, match=r"(?s)nasdaq\.conditions\.odd-lot.*has to count for high_low"):
        read_venues(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kraken: {}\nokx: {}\nkraken: {quotes: true}", "line 3: kraken was named already, in line 1"),
        ("okx:\n  quotes: true\n  quotes: false", "line 3: quotes was named already, in line 2"),
        ("okx: {conditions: {Z: [volume], Z: []}}", "line 1: Z was named already, in line 1"),
        ("a:\n  hours:\n    bars:\n      1d: [regular]\n      1d: [pre]", "line 5: 1d was named already, in line 4"),
        ("a:\n  instrument_hours:\n    N: {}\n    N: {}", "line 4: N was named already, in line 3"),
    ],
)
def test_a_key_that_is_named_twice_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(VenuesFileError, match=f"venues.yaml: {said}$"):
        read_venues(written(tmp_path, text))


def test_what_a_venue_takes_over_from_another_it_may_name_otherwise(tmp_path: Path) -> None:
    text = "a: &a {trade_ids: contiguous, quotes: true}\nb: &b {<<: *a, quotes: false}\nc: {<<: *b, quotes: true}"
    venues = read_venues(written(tmp_path, text))
    assert {name: (venue.trade_ids, venue.quotes) for name, venue in venues.items()} == {
        "a": ("contiguous", True),
        "b": ("contiguous", False),
        "c": ("contiguous", True),
    }


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "venues.yaml"
    path.write_bytes("nasdaq: {calendar: Börse}\n".encode("latin-1"))
    with pytest.raises(VenuesFileError, match="it must be UTF-8"):
        read_venues(path)


def test_the_projects_own_file_can_be_followed_and_says_which_candles_are_not_of_the_streams_trades() -> None:
    venues = read_venues(Settings().venues_file)
    assert {name: venue.candles for name, venue in venues.items() if venue.candles is not Candles.OF_TRADES} == {
        "binance-usdm": Candles.OF_FILLS,
        "bybit": Candles.FROM_LAST_CLOSE,
    }
