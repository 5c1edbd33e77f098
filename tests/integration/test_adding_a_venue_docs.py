"""docs/adding-a-venue.md: its client compiles and passes its test, and it understands its simulated exchange."""

import asyncio
import re
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

from app.settings import PROJECT
from app.units import SECOND_NS
from cli.parts import BRIDGE
from local import certificates
from replay.exchange import Exchange
from replay.trade import SimulatedTrade
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import Script, server_tls

PAGE = (PROJECT / "docs" / "adding-a-venue.md").read_text()
CLIENT, TEST = re.findall(r"```cpp\n(.*?)```", PAGE, re.DOTALL)
(EXCHANGE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TRADE = SimulatedTrade("BTC-USDT", 7, "0.1", "2", "buy", 1_700_000_000 * SECOND_NS)
MINUTE_MS = 1_700_000_000 // 60 * 60_000
PROBE = """
TEST(Toy, UnderstandsItsSimulatedExchange) {
  Toy venue({"BTC-USDT", "ETH-USDT"});
  ASSERT_EQ(venue.read_instruments(frame(R"(INSTRUMENTS)")), DecodeError::none);
  Decoded out;
  const std::uint32_t instrument = 0;
  EXPECT_EQ(venue.subscribe_message(Channel::trades, {&instrument, 1}, true), R"(SUBSCRIBE)");
  EXPECT_EQ(venue.decode(frame(R"(SUBSCRIBED)"), 1, out).kind, FrameKind::subscribed);
  ASSERT_EQ(venue.decode(frame(R"(TRADE)"), 1, out).kind, FrameKind::trades);
  std::vector<Trade> page;
  ASSERT_EQ(venue.read_history(frame(R"(HISTORY)"), {0, 7, 7, 0, 0}, 1, page), DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  expect_same(page[0], out.trades[0]);
  std::vector<Candle> candles;
  ASSERT_EQ(venue.read_candles(frame(R"(CANDLES)"), {0, 1'700'000'000 / 60 * 60'000'000'000, kMinute}, 1, candles),
            DecodeError::none);
  ASSERT_EQ(candles.size(), 1U);
  expect_candle(candles[0], 1'700'000'000 / 60 * 60'000'000'000, {"0.1", "0.1", "0.1", "0.1", "2"}, 1);
}
"""
SUBSCRIBE = '{"op":"subscribe","symbol":"BTC_USDT"}'


def protocol() -> Any:
    """The page's simulated exchange, of two instruments."""
    module: dict[str, Any] = {}
    exec(EXCHANGE, module)  # noqa: S102 - the page's own code is what is tested
    return module["ToyProtocol"](("BTC-USDT", "ETH-USDT"))


async def said(certs: certificates.Certificates) -> dict[str, str]:
    """What the simulated exchange says of one trade, on the stream and in its history."""
    script = Script()
    context = ssl.create_default_context(cafile=str(certs.ca))
    async with Exchange(protocol(), script, server_tls(certs)) as exchange:
        address = exchange.address
        async with (
            httpx.AsyncClient(base_url=f"https://{address}", verify=context, timeout=WAIT_S) as http,
            connect(f"wss://{address}/stream", ssl=context, server_hostname="localhost") as stream,
        ):
            await stream.send(SUBSCRIBE)
            subscribed = await asyncio.wait_for(stream.recv(), WAIT_S)
            script.say(TRADE)
            trade = await asyncio.wait_for(stream.recv(), WAIT_S)
            history = await http.get("/trades", params={"symbol": "BTC_USDT", "from": "7"})
            minute = {"symbol": "BTC_USDT", "from": str(MINUTE_MS), "to": str(MINUTE_MS)}
            candles = await http.get("/candles", params=minute)
            instruments = await http.get("/instruments")
    words = {"SUBSCRIBED": str(subscribed), "SUBSCRIBE": SUBSCRIBE, "TRADE": str(trade)}
    return {**words, "HISTORY": history.text, "CANDLES": candles.text, "INSTRUMENTS": instruments.text}


def compiled(folder: Path, test: str) -> Path:
    """A program of the page's client and this test, linked with what the bridge is built of."""
    venues = folder / "exchange" / "venues"
    venues.mkdir(parents=True)
    (venues / "toy.hpp").write_text(CLIENT)
    (folder / "toy_test.cpp").write_text(test)
    program, bridge = folder / "toy-tests", PROJECT / "bridge"
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-Wno-restrict"]
    includes = [f"-I{part}" for part in (folder, bridge, bridge / "tests", PROJECT / "native" / "include")]
    libraries = [str(BRIDGE.with_name("libdecoding.a")), "-lsimdjson", "-lgtest", "-lgtest_main", "-lpthread"]
    command = ["c++", "-std=c++20", *warnings, *includes, str(folder / "toy_test.cpp"), *libraries, "-o", str(program)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return program


async def test_the_pages_venue_understands_its_simulated_exchange(
    tmp_path: Path, certs: certificates.Certificates
) -> None:
    probe = PROBE
    for word, text in (await said(certs)).items():
        probe = probe.replace(f"({word})", f"({text})")
    end = TEST.index("}  // namespace\n}  // namespace livetape")
    program = await asyncio.to_thread(compiled, tmp_path, TEST[:end] + probe + TEST[end:])
    told = await asyncio.to_thread(subprocess.run, [program], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
    assert "[  PASSED  ] 4 tests." in told.stdout
