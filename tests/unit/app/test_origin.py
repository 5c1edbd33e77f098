"""Which pages may open /ws."""

import pytest

from app.websocket.origin import may_open


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8000", "localhost:8000"),
        ("http://localhost:5173", "localhost:5173"),  # as Vite's proxy leaves it
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://[::1]", "[::1]:80"),
        ("https://tape.example", "tape.example"),
        ("https://tape.example", "Tape.Example:443"),
        ("http://tape.example", "tape.example:80"),
        ("http://tape.example:80", "tape.example"),
    ],
)
def test_the_page_of_the_server_itself_may(origin: str, host: str) -> None:
    assert may_open(origin, host, ())


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "localhost:8000"),
        ("http://localhost:3000", "localhost:8000"),
        ("http://localhost", "localhost:8000"),
        ("http://localhost:8000", "localhost"),
        ("https://tape.example", "tape.example:80"),
        ("https://tape.example.evil.example", "tape.example"),
        ("https://evil.example/tape.example", "tape.example"),
        ("https://tape.example@evil.example", "tape.example"),
        ("null", "localhost:8000"),
        ("", ""),
        ("tape.example", "tape.example"),
    ],
)
def test_a_page_of_another_server_may_not(origin: str, host: str) -> None:
    assert not may_open(origin, host, ())


def test_programs_may() -> None:
    assert may_open(None, "localhost:8000", ())


def test_pages_of_origins_that_are_named_may() -> None:
    others = ("https://charts.example",)
    assert may_open("https://charts.example", "10.0.0.7:8000", others)
    for origin in ("http://charts.example", "https://charts.example:444", "https://charts.example.evil.example"):
        assert not may_open(origin, "10.0.0.7:8000", others)
