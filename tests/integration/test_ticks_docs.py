"""docs/ticks.md: its program prints every trade of the exchange, as the page says."""

import asyncio
import itertools
import os
import re
import sys
from decimal import Decimal
from pathlib import Path

from app.settings import PROJECT, Settings
from app.tick_stream import Origin
from app.units import SECOND_NS
from local import certificates
from replay.exchange import Exchange
from replay.market import MarketSpec, trades
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import Script, bridge_settings, bridging, server_tls, venue_of

(PROGRAM,) = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "ticks.md").read_text(), re.DOTALL)
INSTRUMENTS = ("BTC-USDT", "ETH-USDT")
TRADES = 2_000


async def test_the_pages_program_prints_every_trade(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    venue = VenueName.BINANCE
    spec = MarketSpec(INSTRUMENTS, rate=1_000, seed=9, resolution_ns=PROTOCOLS[venue].resolution_ns)
    market = list(itertools.islice(trades(spec, 1_700_000_000 * SECOND_NS), TRADES))
    last, script = market[-1], Script()
    async with Exchange(protocol_of(venue, INSTRUMENTS), script, server_tls(certs)) as exchange:
        here = bridge_settings(settings, tmp_path, **{venue: venue_of(venue, exchange, INSTRUMENTS, certs.ca)})
        with bridging(here) as bridge:
            await bridge.counts(f'frames_total{{venue="{venue}"}}', 1)
            program = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                PROGRAM,
                cwd=PROJECT,
                env={**os.environ, **here.environment()},
                stdout=asyncio.subprocess.PIPE,
            )
            assert program.stdout is not None
            try:
                async with asyncio.timeout(WAIT_S):
                    first = asyncio.create_task(program.stdout.readline())
                    coming = iter(market)
                    while not first.done():  # until the program hears the bridge
                        script.say(next(coming))
                        await asyncio.sleep(0.02)
                    script.say(*coming)
                    lines = [await first]
                    while not lines[-1].startswith(b"%s %d " % (f"binance:{last.instrument}".encode(), last.trade_id)):
                        lines.append(await program.stdout.readline())
            finally:
                program.kill()
                await program.wait()
            assert await bridge.stop() == 0
    printed = [line.decode().split() for line in lines]
    expected = [(f"binance:{one.instrument}", str(one.trade_id), Decimal(one.price)) for one in market[-len(lines) :]]
    assert [(key, trade_id, Decimal(price)) for key, trade_id, price, _ in printed] == expected
    assert {origin for *_, origin in printed} <= set(Origin)
