"""What REST tells of stored trades."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api import build_api
from app.bars import Instrument
from app.settings import Settings

APPLE = Instrument("nasdaq", "AAPL")


def test_every_stored_trade_tells_what_it_counts_for(monkeypatch: pytest.MonkeyPatch) -> None:
    application = build_api(Settings())
    services = application.state.services
    services.catalogue.saw_trade(APPLE)

    def stored(*conditions: str) -> dict[str, Any]:
        names = {"trade_id": "17", "aggressor": "buy", "event_time_ns": 1, "receive_time_ns": 2}
        return {**names, "price": Decimal("191.25"), "size": Decimal(5), "conditions": list(conditions)}

    def rows(*_: object) -> Iterator[dict[str, Any]]:
        with pytest.raises(RuntimeError, match="no running event loop"):  # thousands would keep all clients waiting
            asyncio.get_running_loop()
        yield from (stored(), stored("hidden", "odd-lot"), stored("non-printable"))

    monkeypatch.setattr(services.history, "trades", rows)
    trades = TestClient(application).get("/api/v1/trades", params=APPLE._asdict()).json()["trades"]
    assert [trade["counts_for"] for trade in trades] == [["open_close", "high_low", "volume"], ["volume"], []]
