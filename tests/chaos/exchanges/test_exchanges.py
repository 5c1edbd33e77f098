"""A short run of `make chaos-bridge`, and what a seed decides in it."""

from itertools import islice
from pathlib import Path

from app.settings import Settings
from local import certificates
from tests.chaos.exchanges.deck import NUMBERED, UNNUMBERED, Kind, faults
from tests.chaos.exchanges.programs import BRIDGE
from tests.chaos.exchanges.round import Round
from tests.chaos.exchanges.tally import Tally
from tests.integration.bridge_kit import bridge_settings

SECONDS = 20.0
SEED = 9
"""One that kills the bridge soon."""


async def test_every_trade_of_seven_exchanges_that_do_wrong_is_in_kafka_or_on_gaps(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    tally = Tally()
    await Round(bridge_settings(settings, tmp_path), certs, SEED, tally).go(SECONDS)
    tally.tell()
    assert tally.faults[f"{BRIDGE}: kill -9"]


def test_the_same_seed_gives_the_same_faults_and_another_gives_others() -> None:
    first = list(islice(faults("7 okx", is_numbered=True), 40))
    assert first == list(islice(faults("7 okx", is_numbered=True), 40))
    assert first != list(islice(faults("8 okx", is_numbered=True), 40))


def test_every_kind_comes_before_any_comes_more_often() -> None:
    assert {one.kind for one in islice(faults("7", is_numbered=True), len(NUMBERED))} == set(Kind)
    assert {one.kind for one in islice(faults("7", is_numbered=False), len(UNNUMBERED))} == set(UNNUMBERED)
