"""How often the registry is asked for the schemas of records."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import MappingProxyType

import pytest

from app import schema_lookup
from app.kept_schema_ids import keep
from app.records import BadRecord
from app.schema_lookup import RegistryAway, RegistrySchemas
from app.settings import Settings

SCHEMA = json.dumps("string")
KNOWN = "/schemas/ids/7"
OF_ANOTHER_SERVER = "/schemas/ids/9"


class Registry(ThreadingHTTPServer):
    """Knows one schema, and what it was asked; what it refuses it answers with a status."""

    def __init__(self, refuses: Mapping[int, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[str] = []
        self.refuses = {f"/schemas/ids/{schema_id}": status for schema_id, status in refuses.items()}


class _Answers(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:  # the name is the library's
        self.server.asked.append(self.path)
        body = json.dumps([] if self.path == OF_ANOTHER_SERVER else {"schema": SCHEMA}).encode()
        self.send_response(self.server.refuses.get(self.path, 200 if self.path in {KNOWN, OF_ANOTHER_SERVER} else 404))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running(refuses: Mapping[int, int] = MappingProxyType({})) -> Iterator[Registry]:
    with Registry(refuses) as registry:
        thread = Thread(target=registry.serve_forever)
        thread.start()
        try:
            yield registry
        finally:
            registry.shutdown()
            thread.join()


def schemas_of(registry: Registry, own_id: int | None = None) -> RegistrySchemas:
    return RegistrySchemas(Settings(registry_url=f"http://127.0.0.1:{registry.server_port}"), own_id)


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


def test_ids_of_bad_bytes_are_forgotten_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(schema_lookup, "monotonic", lambda: now_s)
    with running() as registry:
        schemas = schemas_of(registry)
        for schema_id in range(100, 110):
            now_s += 1.1
            with pytest.raises(BadRecord):
                schemas(schema_id)
    assert list(schemas._refused) == [109]


def test_a_registry_that_is_away_says_nothing_about_a_schema() -> None:
    with running() as registry:
        schemas = schemas_of(registry)
    with pytest.raises(RegistryAway):
        schemas(7)


def test_while_the_registry_is_away_what_it_told_at_the_last_start_is_known(tmp_path: Path) -> None:
    with running() as registry:
        settings = Settings(home=tmp_path, registry_url=f"http://127.0.0.1:{registry.server_port}")
        texts = {"livetape.Bar": json.dumps("bytes"), "livetape.aggregates.mean": json.dumps("int")}
        keep(settings, texts, {"livetape.Bar": 7, "livetape.aggregates.mean": 11})
        assert RegistrySchemas(settings)(7) == SCHEMA  # as it is told now
    schemas = RegistrySchemas(settings)
    assert [schemas(7), schemas(11)] == list(texts.values())
    with pytest.raises(RegistryAway):
        schemas(8)
    with pytest.raises(RegistryAway):
        RegistrySchemas(settings.model_copy(update={"registry_url": "http://127.0.0.1:1"}))(7)


def test_what_answers_as_no_registry_does_says_nothing_about_a_schema() -> None:
    with running() as registry, pytest.raises(RegistryAway):
        schemas_of(registry)(9)


def test_an_address_that_is_none_is_told_and_says_nothing_about_a_schema() -> None:
    with pytest.raises(RegistryAway, match=r"schema registry at http://\[::1: Invalid port"):
        RegistrySchemas(Settings(registry_url="http://[::1"))(7)


@pytest.mark.parametrize("status", [400, 403, 410, 422, 451])
def test_an_id_that_is_refused_while_another_is_told_is_a_bad_record_and_is_not_asked_for_at_once_again(
    status: int,
) -> None:
    with running({10: status}) as registry:
        schemas = schemas_of(registry, own_id=7)
        for _ in range(2):
            with pytest.raises(BadRecord, match=f"the registry does not tell schema id 10: status {status}"):
                schemas(10)
        assert registry.asked == ["/schemas/ids/10", KNOWN]


def test_an_answer_without_a_schema_while_another_is_told_is_a_bad_record() -> None:
    with running() as registry, pytest.raises(BadRecord, match="does not tell schema id 9: an answer without it"):
        schemas_of(registry, own_id=7)(9)


def test_a_schema_that_was_told_before_shows_whether_the_registry_refuses_one_alone() -> None:
    with running({10: 403}) as registry:
        schemas = schemas_of(registry)
        with pytest.raises(RegistryAway):
            schemas(10)
        schemas(7)
        with pytest.raises(BadRecord):
            schemas(10)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_registry_that_refuses_all_says_nothing_about_a_schema(status: int) -> None:
    with running({7: status, 10: 403}) as registry, pytest.raises(RegistryAway, match="403"):
        schemas_of(registry, own_id=7)(10)


@pytest.mark.parametrize("status", [401, 407, 408, 425, 429, 500, 503])
def test_what_speaks_of_who_asks_or_of_the_moment_says_nothing_about_a_schema(status: int) -> None:
    with running({10: status}) as registry, pytest.raises(RegistryAway, match=str(status)):
        schemas_of(registry, own_id=7)(10)
