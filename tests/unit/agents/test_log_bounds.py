"""Where logs begin and end, by a broker that comes back."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from faust.types import TP

from agents import log_bounds
from app.settings import Settings

TRADES = TP("trades", 0)


class ComingBack:
    """Stands where the admin client is: answers with these errors first, then with offset 7."""

    def __init__(self, *codes: int) -> None:
        self._errors = iter([KafkaException(KafkaError(code)) for code in codes])

    def list_offsets(self, wanted: dict[Any, Any], **_: object) -> dict[Any, Future[Any]]:
        error = next(self._errors, None)
        found: Future[Any] = Future()
        if error is None:
            found.set_result(SimpleNamespace(offset=7))
        else:
            found.set_exception(error)
        return dict.fromkeys(wanted, found)


def test_a_partition_whose_leader_is_changing_is_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = ComingBack(KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.NOT_LEADER_FOR_PARTITION)
    monkeypatch.setattr(log_bounds, "AGAIN_S", 0.0)
    monkeypatch.setattr(log_bounds, "admin_client", lambda _: admin)
    assert log_bounds.log_bounds(Settings(), [TRADES]) == {TRADES: (7, 7)}


def test_what_waiting_cannot_mend_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_bounds, "admin_client", lambda _: ComingBack(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(KafkaException):
        log_bounds.log_bounds(Settings(), [TRADES])
