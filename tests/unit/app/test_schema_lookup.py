"""How often the registry is asked for the schemas of records."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from app import schema_lookup
from app.records import BadRecord
from app.schema_lookup import RegistryAway, RegistrySchemas
from app.settings import Settings

SCHEMA = json.dumps("string")
KNOWN = "/schemas/ids/7"
OF_ANOTHER_SERVER = "/schemas/ids/9"


class Registry(ThreadingHTTPServer):
    """Knows one schema, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[str] = []


class _Answers(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:  # the name is the library's
        self.server.asked.append(self.path)
        body = json.dumps([] if self.path == OF_ANOTHER_SERVER else {"schema": SCHEMA}).encode()
        self.send_response(200 if self.path in {KNOWN, OF_ANOTHER_SERVER} else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running() -> Iterator[Registry]:
    with Registry() as registry:
        thread = Thread(target=registry.serve_forever)
        thread.start()
        try:
            yield registry
        finally:
            registry.shutdown()
            thread.join()


def schemas_of(registry: Registry) -> RegistrySchemas:
    return RegistrySchemas(Settings(registry_url=f"http://127.0.0.1:{registry.server_port}"))


def test_a_schema_is_asked_for_once() -> None:
    with running() as registry:
        schemas = schemas_of(registry)
        assert [schemas(7), schemas(7)] == [SCHEMA, SCHEMA]
        assert registry.asked == [KNOWN]


def test_many_records_of_an_unknown_schema_ask_for_it_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    monkeypatch.setattr(schema_lookup, "monotonic", lambda: now_s)
    with running() as registry:
        schemas = schemas_of(registry)
        for _ in range(100):
            with pytest.raises(BadRecord, match="unknown schema id 8"):
                schemas(8)
        assert len(registry.asked) == 1
        now_s += 1.0
        with pytest.raises(BadRecord, match="unknown schema id 8"):
            schemas(8)
        assert len(registry.asked) == 2


def test_a_registry_that_is_away_says_nothing_about_a_schema() -> None:
    with running() as registry:
        schemas = schemas_of(registry)
    with pytest.raises(RegistryAway):
        schemas(7)


def test_what_answers_as_no_registry_does_says_nothing_about_a_schema() -> None:
    with running() as registry, pytest.raises(RegistryAway):
        schemas_of(registry)(9)


def test_an_address_that_is_none_is_told_and_says_nothing_about_a_schema() -> None:
    with pytest.raises(RegistryAway, match=r"schema registry at http://\[::1: Invalid port"):
        RegistrySchemas(Settings(registry_url="http://[::1"))(7)
