"""Where a worker's metrics are read."""

from prometheus_client import start_http_server


def serve_metrics(port: int) -> None:
    """Answer Prometheus on this port of the machine's own address, for as long as the process lives.

    Raises:
        OSError: the port is taken.
    """
    start_http_server(port, addr="127.0.0.1")
