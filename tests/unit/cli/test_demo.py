"""What a run is made of, what ends it, and what does not."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from app.sources import PacketFeed, VenueConfig, Writer
from cli import simulated_exchanges
from cli.run_parts import parts_of
from cli.signals import interrupt_on_signals

KRAKEN = VenueConfig(url="wss://kraken", rest_url="https://kraken", instruments=("BTC-USD",))
NASDAQ = PacketFeed(lines=("239.77.2.1:26400",))
RELAYED = {"writer": Writer.RELAY}


@pytest.mark.parametrize(
    ("venue", "feed", "has_relay"),
    [
        (KRAKEN, NASDAQ, False),
        (KRAKEN.model_copy(update=RELAYED), NASDAQ, True),
        (KRAKEN, NASDAQ.model_copy(update=RELAYED), True),
    ],
)
def test_a_relay_runs_where_a_venue_or_a_packet_feed_has_it(
    venue: VenueConfig, feed: PacketFeed, *, has_relay: bool
) -> None:
    settings = Settings(venues={"kraken": venue}, packet_feeds={"nasdaq": feed})
    assert ("relay" in {part.name for part in parts_of(settings)}) is has_relay


def test_a_demo_reads_its_simulated_exchanges_alone(tmp_path: Path) -> None:
    settings = Settings(venues={"okx": KRAKEN}, packet_feeds={"nasdaq": NASDAQ})
    of_demo = simulated_exchanges.demo_settings(settings, tmp_path, {"kraken": 9_443})
    assert of_demo.venues.keys() == {"kraken"}
    assert of_demo.packet_feeds == {}


@pytest.fixture
def _handlers() -> Iterator[None]:
    """The handlers of this process, as they were."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
def test_a_closed_terminal_ends_a_run_unless_nohup_started_it() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    interrupt_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt_on_signals()
    signal.raise_signal(signal.SIGHUP)


@pytest.mark.usefixtures("_handlers")
def test_ctrl_c_ends_a_run_even_where_a_script_has_it_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
