"""Where a worker's metrics are read."""

from prometheus_client import start_http_server


def serve_metrics(host: str, port: int) -> None:
    """Answer Prometheus at this address, for as long as the process lives.

    Raises:
        OSError: the port is taken, or the address is none of this machine's.
    """
    start_http_server(port, addr=host)
