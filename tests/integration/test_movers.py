"""Movers as a client sees them: from trades in Kafka to REST and /ws."""

import asyncio
from decimal import Decimal
from typing import Any

from app.settings import Settings
from tests.integration.api_kit import serving, text
from tests.integration.fold_kit import Tape, folding, trade, wait_until_flushed, with_topics


def test_movers_are_ranked_from_the_bars(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    for number, price in enumerate(("100", "101", "103")):
        tape.trade(trade(str(number), price, number))
        tape.trade(trade(str(number), "50", number, instrument="ETH-USDT"))
    tape.clock(10)
    tape.flush()
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        with serving(settings) as api:
            answer = api.get("/api/v1/movers", interval="1m").json()
            assert [(each["instrument"], each["change"]) for each in answer["movers"]] == [
                ("BTC-USDT", "0.03"),
                ("ETH-USDT", "0"),
            ]
            assert api.get("/api/v1/movers", interval="7m").json()["error"]["code"] == "unknown_interval"
            asyncio.run(_follow_movers(api, tape))


async def _follow_movers(api: Any, tape: Tape) -> None:
    async with api.ws() as client:
        await client.send({"op": "subscribe", "channel": "movers", "interval": "1m"})
        first = await client.next("movers")
        assert first["movers"][0]["change"] == text(Decimal("0.03"))
        tape.trade(trade("9", "40", 11, instrument="ETH-USDT"))
        tape.flush()
        while (await client.next("movers"))["movers"][0]["instrument"] != "ETH-USDT":
            pass
        await client.send({"op": "unsubscribe", "channel": "movers", "interval": "1m"})
        while (await client.receive())["type"] != "unsubscribed":
            pass
