"""What one client is subscribed to, with a view filled by hand."""

import json

import pytest

from app.api import build_api
from app.catalogue import Code, RequestRefused
from app.services import Services
from app.settings import Settings
from app.status import State
from app.websocket import subscriptions
from app.websocket.outbox import Outbox
from app.websocket.requests import Channel, Op, Request
from app.websocket.subscriptions import Subscriptions
from tests.unit.app.test_views import KEY, final

BARS = Request(Op.SUBSCRIBE, None, Channel.BARS, *KEY[:3])
TRADES = Request(Op.SUBSCRIBE, None, Channel.TRADES, KEY.venue, KEY.instrument)
MOVERS = Request(Op.SUBSCRIBE, None, Channel.MOVERS, interval=KEY.interval)


@pytest.fixture
def services() -> Services:
    """The parts of an application whose view has one bar."""
    made: Services = build_api(Settings()).state.services
    made.view.apply([(KEY, final(1, seq=1))])
    made.status.set(State.READY)
    return made


def test_updates_follow_on_the_answer_until_the_end(services: Services) -> None:
    outbox = Outbox()
    client = Subscriptions(services, outbox)
    assert len(json.loads(client.begin(BARS))["bars"]) == 1
    services.view.apply([(KEY, final(2, seq=2))])
    assert len(outbox) == 1
    assert len(json.loads(client.begin(BARS))["bars"]) == 2
    assert len(outbox) == 0  # the answer has it already
    services.view.apply([(KEY, final(3, seq=3))])
    assert json.loads(client.end(BARS)) == {"type": "unsubscribed", **KEY._asdict()}
    services.view.apply([(KEY, final(4, seq=4))])
    assert len(outbox) == 0


def test_what_is_not_heard_of_cannot_be_ended(services: Services) -> None:
    client = Subscriptions(services, Outbox())
    client.begin(TRADES)
    client.end(TRADES)
    for request in (TRADES, BARS):
        with pytest.raises(RequestRefused) as refused:
            client.end(request)
        assert refused.value.code is Code.NOT_SUBSCRIBED


def test_only_so_many_subjects_are_heard_of_at_once(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_SUBSCRIPTIONS", 2)
    client = Subscriptions(services, Outbox())
    for request in (BARS, TRADES, BARS):
        client.begin(request)
    with pytest.raises(RequestRefused) as refused:
        client.begin(MOVERS)
    assert refused.value.code is Code.TOO_MANY
    client.end(BARS)
    client.begin(MOVERS)


def test_one_that_leaves_hears_no_more_of_anything(services: Services) -> None:
    client, other = (Subscriptions(services, Outbox()) for _ in range(2))
    for request in (BARS, TRADES, MOVERS):
        client.begin(request)
        other.begin(request)
    client.end_all()
    series = services.view.series(KEY)
    assert series is not None
    listeners = (series.listeners, services.movers._listeners[KEY.interval], *services.ticks._listeners.values())
    assert listeners == ({other}, {other}, {other})
