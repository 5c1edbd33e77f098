"""Registering schemas, and starting while the registry is away."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app import kept_schema_ids, schema_registry
from app.schema_files import RECORDS, SchemasUnfit
from app.schema_registry import RegistryError, RegistryUnreachable, other_ids, register_all, register_own
from app.settings import PROJECT, Settings

AGGREGATES = "tests.unit.app.mean:ALL"
RECORD = "livetape.aggregates.mean"
OWN = {f"livetape.{name}" for name in RECORDS}
Answer = Callable[[httpx.Request], httpx.Response]


def numbering(request: httpx.Request) -> httpx.Response:
    """A registry that knows no subject yet, and numbers those that come by the length of their names."""
    if request.method == "GET":
        return httpx.Response(404)
    return httpx.Response(200, json={"id": len(request.url.path)})


def away(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody listens", request=request)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "schemas"
    shutil.copytree(PROJECT / "schemas", folder)
    return Settings(home=tmp_path / "home", schemas_dir=folder)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    def answer_by(answer: Answer) -> None:
        transport = httpx.MockTransport(answer)
        monkeypatch.setattr(
            schema_registry, "_client", lambda _: httpx.Client(base_url="http://registry", transport=transport)
        )

    return answer_by


def test_ids_of_the_last_start_serve_while_the_registry_is_away(
    settings: Settings, registry: Callable[[Answer], None]
) -> None:
    registry(numbering)
    ids = register_all(settings)
    assert set(ids) == OWN
    for answer in away, lambda _: httpx.Response(503):
        registry(answer)
        assert register_all(settings) == ids


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"id": null}'])
def test_what_answers_as_no_registry_does_is_as_one_that_is_away(
    settings: Settings, registry: Callable[[Answer], None], body: str
) -> None:
    def no_registry(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=body)

    registry(no_registry)
    with pytest.raises(RegistryUnreachable, match=r"did not take bar\.avsc: .* is LIVETAPE_REGISTRY_URL right\?"):
        register_all(settings)
    registry(numbering)
    ids = register_all(settings)
    others = other_ids(settings, ids)
    registry(no_registry)
    assert (register_all(settings), other_ids(settings, ids)) == (ids, others)


@pytest.mark.parametrize("change", ["never there", "other schema", "other registry", "other namespace", "wiped"])
def test_ids_that_may_be_of_something_else_do_not(
    settings: Settings, registry: Callable[[Answer], None], change: str
) -> None:
    registry(numbering)
    if change != "never there":
        register_all(settings)
    if change == "other schema":
        file = settings.schemas_dir / "trade.avsc"
        file.write_text(file.read_text().replace("No unit.", "A name."))
    if change == "wiped":
        kept_schema_ids.forget(settings.home)
    changed = {"other registry": {"registry_url": "http://127.0.0.1:9"}, "other namespace": {"namespace": "other"}}
    registry(away)
    with pytest.raises(RegistryError, match=r"did not take bar\.avsc: nobody listens"):
        register_all(settings.model_copy(update=changed.get(change, {})))


def test_ids_that_the_release_before_noted_serve_until_a_schema_changes(
    settings: Settings, registry: Callable[[Answer], None]
) -> None:
    registry(numbering)
    ids = register_all(settings)
    note_digests(settings)
    registry(away)
    assert register_all(settings) == ids
    file = settings.schemas_dir / "trade.avsc"
    file.write_text(file.read_text().replace("No unit.", "A name."))
    with pytest.raises(RegistryError, match="nobody listens"):
        register_all(settings)


def note_digests(settings: Settings) -> None:
    """Have a digest noted of each schema in its text's place."""
    (file,) = (settings.home / kept_schema_ids.FOLDER).glob("schema-ids-*.json")
    noted = json.loads(file.read_text())
    for entry in noted["schemas"].values():
        entry["digest"] = hashlib.sha256(entry.pop("text").encode()).hexdigest()
    file.write_text(json.dumps(noted))


def test_a_registry_that_refuses_is_not_away(settings: Settings, registry: Callable[[Answer], None]) -> None:
    registry(numbering)
    register_all(settings)
    registry(lambda _: httpx.Response(401))
    with pytest.raises(RegistryError, match="401"):
        register_all(settings)


def test_ids_of_a_part_that_writes_no_aggregate_are_kept_beside_those_of_all(
    settings: Settings, registry: Callable[[Answer], None]
) -> None:
    declared = settings.model_copy(update={"aggregates": AGGREGATES})
    registry(numbering)
    ids = register_all(declared)
    own = register_own(declared)
    assert set(ids) - set(own) == {RECORD}
    registry(away)
    assert (register_all(declared), register_own(declared)) == (ids, own)


def versioned(request: httpx.Request) -> httpx.Response:
    """A registry that has three versions of gaps, and none of another record."""
    subject, _, version = request.url.path.partition("/versions")
    if subject != "/subjects/livetape.Gap":
        return httpx.Response(404)
    return httpx.Response(200, json={"id": 40 + int(version[1:]), "schema": "{}"} if version else [1, 2, 3])


def test_ids_of_other_versions_are_known_while_the_registry_is_away(
    settings: Settings, registry: Callable[[Answer], None]
) -> None:
    ids = {"livetape.Gap": 43, "livetape.Quote": 7}
    registry(away)
    with pytest.raises(RegistryError, match=r"did not tell the versions of livetape\.Gap: nobody listens"):
        other_ids(settings, ids)
    registry(versioned)
    others = other_ids(settings, ids)
    assert others == {"livetape.Gap": [41, 42], "livetape.Quote": []}
    registry(numbering)
    register_own(settings)
    for answer in away, lambda _: httpx.Response(503):
        registry(answer)
        assert other_ids(settings, ids) == others
        of_a_newer_release = ids | {"livetape.Gap": 44}
        assert other_ids(settings, of_a_newer_release) == others | {"livetape.Gap": [41, 42, 43]}
    registry(lambda _: httpx.Response(401))
    with pytest.raises(RegistryError, match="401"):
        other_ids(settings, ids)


@pytest.mark.parametrize("is_removed_since", [False, True])
@pytest.mark.parametrize(
    ("before", "refusal"),
    [
        ("double", None),
        (["null", "double"], None),
        ("long", "field mean is double, and was long: give it another name"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
            "field mean is double, and was decimal",
        ),
    ],
)
def test_a_field_of_an_aggregate_keeps_its_type_even_where_avro_would_promote_it(
    settings: Settings,
    registry: Callable[[Answer], None],
    before: object,
    refusal: str | None,
    *,
    is_removed_since: bool,
) -> None:
    versions = {2: {"fields": [{"name": "mean", "type": before}, {"name": "gone", "type": "string"}]}}
    if is_removed_since:
        versions[4] = {"fields": [{"name": "gone", "type": "string"}]}

    def answer(request: httpx.Request) -> httpx.Response:
        head, _, version = request.url.path.rpartition("/")
        if request.method == "GET" and request.url.path == f"/subjects/{RECORD}/versions":
            return httpx.Response(200, json=[*versions])
        if head == f"/subjects/{RECORD}/versions":
            return httpx.Response(200, json={"id": int(version), "schema": json.dumps(versions[int(version)])})
        return numbering(request)

    registry(answer)
    declared = settings.model_copy(update={"aggregates": AGGREGATES})
    if refusal is None:
        assert RECORD in register_all(declared)
    else:
        with pytest.raises(RegistryError, match=f"Mean: {refusal}"):
            register_all(declared)
        assert set(register_own(declared)) == OWN


@pytest.mark.parametrize("register", [register_all, register_own])
def test_a_folder_that_lacks_a_schema_of_ours_is_refused_before_the_registry_is_asked(
    settings: Settings, register: Callable[[Settings], dict[str, int]]
) -> None:
    (settings.schemas_dir / "joined.avsc").unlink()
    with pytest.raises(SchemasUnfit, match=r"schemas has no joined\.avsc: set LIVETAPE_SCHEMAS_DIR to"):
        register(settings)
