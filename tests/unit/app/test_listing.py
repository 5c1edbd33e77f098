"""The list of what can be asked for: made anew only when something in it has changed."""

import json
from typing import Any

from app.api import build_api
from app.bars import Instrument
from app.services import Services
from app.settings import Settings
from app.status import Origin, State
from tests.unit.app.test_views import KEY, final

ETHER = Instrument("kraken", "ETH-USD")


def listed(services: Services) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(services.listing.text)
    assert told["version"] == services.listing.version
    return told


def test_the_version_rises_with_each_change_of_the_list_and_the_text_is_made_no_more_often() -> None:
    services: Services = build_api(Settings()).state.services
    changes: list[Any] = [
        lambda: services.view.apply([(KEY, final(1, seq=1))]),
        lambda: services.catalogue.saw_trade(ETHER),
        lambda: services.status.set(State.READY),
        lambda: setattr(services.history, "is_away", True),
        lambda: setattr(services.history, "is_away", False),
    ]
    services.status.set_history(Origin.TOPIC, "Postgres is away")
    before = listed(services)
    for change in changes:
        change()
        after = listed(services)
        assert after["version"] > before["version"]
        assert {**after, "version": 0} != {**before, "version": 0}
        before = after
    text = services.listing.text
    services.view.apply([(KEY, final(2, seq=2))])
    services.catalogue.saw_trade(ETHER)
    assert services.listing.text is text
