"""HEAD, by which monitors and load balancers ask whether a server is there."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.api import build_api
from app.routes import head, page
from app.settings import Settings

BARS = "/api/v1/bars?venue=binance&instrument=BTC-USDT&interval=1m"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/readyz", 503), ("/metrics", 200), ("/openapi.json", 200), (BARS, 503), ("/nothing", 404)],
)
def test_head_is_get_without_the_body(path: str, status: int) -> None:
    client = TestClient(build_api(Settings()))
    got, asked = client.get(path), client.head(path)
    assert (got.status_code, asked.status_code) == (status, status)
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert (bool(got.content), asked.content) == (True, b"")


def test_head_of_the_page_and_its_files_tells_their_length(tmp_path: Path) -> None:
    for name in ("index.html", "page.js"):
        (tmp_path / name).write_text("some text")
    application = FastAPI()
    head.install(application)
    page.install(application, tmp_path)
    for path in ("/", "/page.js"):
        asked = TestClient(application).head(path)
        assert (asked.status_code, asked.headers["content-length"], asked.content) == (200, "9", b"")


@pytest.mark.parametrize("path", ["/healthz", BARS])
def test_another_method_is_refused(path: str) -> None:
    answer = TestClient(build_api(Settings())).post(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "wrong_method")
