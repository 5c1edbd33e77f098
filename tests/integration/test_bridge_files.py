"""What a bridge keeps on disk: in use while it runs, and nothing that the next one knows of once it is removed."""

from pathlib import Path

import pytest

from app.settings import Settings
from local import bridge_files, certificates
from local.errors import BridgeRuns
from tests.integration.bridge_kit import bridge_settings
from tests.integration.bridge_run import running, trade


async def test_a_market_that_begins_anew_is_read_once_they_are_removed(
    settings: Settings, certs: certificates.Certificates, tmp_path: Path
) -> None:
    here = bridge_settings(settings, tmp_path)
    market = [trade(number) for number in range(1, 4)]
    async with running(here, certs) as run:
        await run.play(*market)
        kept = here.home / bridge_files.POSITIONS / here.namespace / "binance.positions"
        await run.bridge.until(lambda: " 3 3 " in kept.read_text(), "the position of trade 3")
        with pytest.raises(BridgeRuns), bridge_files.unused(here.home):
            pytest.fail("a bridge uses them")
        assert await run.bridge.stop() == 0, run.bridge.log
    with bridge_files.unused(here.home):
        bridge_files.remove(here.home)
    async with running(here, certs) as run:
        await run.play(*market)
        await run.bridge.counts('trades_total{venue="binance"}', 3)
        assert run.total("duplicates") == 0
