"""What goes by the environment's proxy, and what does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from app.http_client import ProxyUnusable, address_of, ask, client_of, is_here

NOBODY = "http://127.0.0.1:1"


class Listening(ThreadingHTTPServer):
    """Answers whatever it is asked, and knows what that was."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Listening

    def do_GET(self) -> None:  # the name is the library's
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Listening]:
    with Listening() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Listening]:
    """A server of this machine, or a proxy."""
    with listening() as server:
        yield server


@pytest.mark.parametrize("proxy", [{"http_proxy": NOBODY}, {"ALL_PROXY": "socks5://127.0.0.1:1"}])
def test_this_machine_is_asked_without_the_proxy(
    monkeypatch: pytest.MonkeyPatch, server: Listening, proxy: dict[str, str]
) -> None:
    for name, address in proxy.items():
        monkeypatch.setenv(name, address)
    for host in ("127.0.0.1", "localhost", "0.0.0.0"):  # noqa: S104 - where the API may be set to listen
        assert ask("GET", f"http://{host}:{server.server_port}/subjects", timeout_s=5.0).is_success
    assert server.asked == ["/subjects"] * 3


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1:80"), ("::", "[::]:80"), ("::1", "[::1]:80"), ("api", "api:80")]
)
def test_an_ipv6_address_is_in_brackets_before_its_port(host: str, address: str) -> None:
    assert address_of(host, 80) == address


def test_another_machine_is_asked_by_the_proxy(monkeypatch: pytest.MonkeyPatch, server: Listening) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    assert ask("GET", "http://registry.example/subjects", timeout_s=5.0).is_success
    assert server.asked == ["http://registry.example/subjects"]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ProxyUnusable, match=r"cannot be used: .*\n.* or name registry\.example in no_proxy"):
        client_of("http://registry.example")


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", True),  # noqa: S104 - nothing is bound
        ("10.0.0.1", False),
        ("registry", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_what_is_this_machine(host: str, here: bool) -> None:  # noqa: FBT001 - a parameter of a test
    assert is_here(host) is here
