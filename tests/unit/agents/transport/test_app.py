"""What an app does with its batch topics beside ordinary ones."""

import pytest
from faust.exceptions import ImproperlyConfigured

from agents.transport import BatchApp


def test_no_agent_can_have_one_event_a_record_of_a_topic_that_is_read_in_batches() -> None:
    app = BatchApp("test")
    app.batch_topic("trades")
    with pytest.raises(ImproperlyConfigured, match="trades: this app reads it as whole record batches"):
        app.topic("orders", "trades")
    assert list(app.topic("orders").topics) == ["orders"]
