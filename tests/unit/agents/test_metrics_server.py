"""Where a worker's metrics are read, and where not."""

import httpx

from agents.metrics_server import serve_metrics
from local import ports


def test_metrics_are_served_at_the_address_that_is_set_alone() -> None:
    (port,) = ports.free_ports(1)
    serve_metrics("127.0.0.2", port)
    assert httpx.get(f"http://127.0.0.2:{port}/metrics").is_success
    assert not ports.answers(port)
