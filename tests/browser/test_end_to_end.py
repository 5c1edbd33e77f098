"""The whole way: trades of a simulated exchange become a candle that moves in Chromium."""

from pathlib import Path

from playwright.sync_api import expect

from app.settings import Settings
from local import stack
from tests.browser.page_kit import browser_page
from tests.integration.api_kit import eventually
from tests.integration.test_demo import interrupt, read_until_ready, start


def test_a_candle_moves_with_the_trades_of_an_exchange(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with start(settings, "demo") as demo, browser_page() as page:
        page.open(f"{read_until_ready(demo)}/?venue=kraken&instrument=ETH-USDT&interval=1m")
        expect(page.legend).to_contain_text("forming")
        expect(page.trades.first).to_be_visible()
        expect(page.connection).to_contain_text("demo")
        drawn, told = page.chart(), page.legend.inner_text()
        page.page.wait_for_function("told => document.querySelector('.legend').innerText !== told", arg=told)
        eventually(lambda: page.chart() != drawn)
        assert page.errors == []
        interrupt(demo)
    assert demo.returncode == 0
