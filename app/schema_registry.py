"""Registers the schemas of schemas/*.avsc, by record name, before anything is written with them.

A subject is the full name of its record (`livetape.Trade`), and who has a new version must be able to read what was
written by the one before: compatibility BACKWARD.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import httpx

from app import kept_schema_ids
from app.aggregates import load_aggregates
from app.aggregates.schema import field_types, schema_text
from app.http_client import client_of
from app.schema_files import schema_files
from app.schema_lookup import NOT_TOLD
from app.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 30.0
COMPATIBILITY: Final = "BACKWARD"
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"


class RegistryError(Exception):
    """A schema could not be registered; the message names it, says why and what to do."""


class RegistryUnreachable(RegistryError):
    """The registry does not answer as one, or says that it cannot now."""


class Schema(NamedTuple):
    """A schema of ours, by the full name of its record."""

    record: str
    text: str
    source: str
    """What users know it by."""
    is_users: bool = False


class Version(NamedTuple):
    """A version of a record's schema."""

    id: int
    text: str


def register_all(settings: Settings) -> dict[str, int]:
    """Registry id of every schema in the settings' folder and of every aggregate, by full record name.

    Registered ones stay as they are. While the registry is away the ids of the last start are given, if all schemas are
    the same: who is killed then must not wait for it.

    Raises:
        RegistryError: the registry is away and was never there, or refuses a schema as incompatible with the version
            before; or an aggregate's field has another type than before.
        SchemasUnfit: the folder lacks schemas of ours, or has files that are none.
    """
    return _register_these(settings, own_schemas(settings) + _of_users(settings))


def register_own(settings: Settings) -> dict[str, int]:
    """The same of the settings' folder alone, for parts that write no aggregate: none can keep them from starting."""
    return _register_these(settings, own_schemas(settings))


def other_ids(settings: Settings, ids: Mapping[str, int]) -> dict[str, list[int]]:
    """Registry ids of all other versions of these records; `ids` and what is returned are by full record name.

    While the registry is away those that it told at the last start are given.

    Raises:
        RegistryError: the registry is away and never told them, or refuses to.
    """
    try:
        with _client(settings) as client:
            versions = {record: {own, *_version_ids(client, record)} for record, own in ids.items()}
    except RegistryUnreachable as away:
        noted = kept_schema_ids.kept_versions(settings, ids)
        if noted is None:
            raise
        log.warning("%s Until then the versions of the last start are known", away)
        versions = noted
    else:
        kept_schema_ids.keep_versions(settings, versions)
    return {record: sorted(versions[record] - {own}) for record, own in ids.items()}


def _version_ids(client: httpx.Client, record: str) -> list[int]:
    try:
        return [version.id for version in _versions(client, record)]
    except NOT_TOLD as error:
        raise _failure(client, f"did not tell the versions of {record}", error) from error


def _register_these(settings: Settings, schemas: list[Schema]) -> dict[str, int]:
    texts = {schema.record: schema.text for schema in schemas}
    try:
        with _client(settings) as client:
            ids = {schema.record: _register(client, schema) for schema in schemas}
    except RegistryUnreachable as away:
        noted = kept_schema_ids.kept(settings, texts)
        if noted is None:
            raise
        log.warning("%s Until then the ids of the last start are used", away)
        return noted
    kept_schema_ids.keep(settings, texts, ids)
    return ids


def _client(settings: Settings) -> httpx.Client:
    headers = {"content-type": _CONTENT_TYPE}
    url, auth = settings.registry_url, settings.registry_auth
    return client_of(url, base_url=url, auth=auth, timeout=TIMEOUT_S, headers=headers)


def own_schemas(settings: Settings) -> list[Schema]:
    """Those of the settings' folder, in the order of their files.

    Raises:
        SchemasUnfit: it lacks some of ours, or has files that are none.
    """
    return [Schema(file.schema.name, file.text, file.file_name) for file in schema_files(settings.schemas_dir)]


def _of_users(settings: Settings) -> list[Schema]:
    return [
        Schema(each.record, schema_text(each), each.type.__name__, is_users=True) for each in load_aggregates(settings)
    ]


def _register(client: httpx.Client, schema: Schema) -> int:
    name = schema.record
    try:
        if schema.is_users:
            _check_types(client, schema)
        client.put(
            f"/config/{name}", json={"compatibility": COMPATIBILITY}
        )  # before the first version it may not be there
        answer = client.post(f"/subjects/{name}/versions", json={"schema": schema.text})
        if answer.status_code == _CONFLICT:
            raise RegistryError(
                f"{schema.source} is not backward compatible with the registered {name}: {answer.text}. "
                "Give new fields a default, and keep the types of old ones"
            )
        answer.raise_for_status()
        return int(answer.json()["id"])
    except NOT_TOLD as error:
        raise _failure(client, f"did not take {schema.source}", error) from error


def _failure(client: httpx.Client, what: str, error: Exception) -> RegistryError:
    is_refused = isinstance(error, httpx.HTTPStatusError) and not error.response.is_server_error
    return (RegistryError if is_refused else RegistryUnreachable)(
        f"the schema registry at {client.base_url} {what}: {error or type(error).__name__}. "
        "Is it running (`livetape status`), and is LIVETAPE_REGISTRY_URL right?"
    )


def _check_types(client: httpx.Client, schema: Schema) -> None:
    """Refuse what Avro would promote: the bytes of an amount are no text, and a column has one type.

    Raises:
        RegistryError: a field of an aggregate has another type than in a version before, be it the last one or not.
    """
    now = field_types(json.loads(schema.text))
    for version in _versions(client, schema.record):
        before = field_types(json.loads(version.text))
        for field in sorted(before.keys() & now.keys()):
            if before[field] != now[field]:
                raise RegistryError(
                    f"{schema.source}: field {field} is {now[field]}, and was {before[field]}: give it another name"
                )


def _versions(client: httpx.Client, record: str) -> Iterator[Version]:
    """Every schema that was registered of a record, the newest first."""
    versions = client.get(f"/subjects/{record}/versions")
    if versions.status_code == _NOT_FOUND:
        return
    for version in reversed(versions.raise_for_status().json()):
        answer = client.get(f"/subjects/{record}/versions/{version}").raise_for_status().json()
        yield Version(int(answer["id"]), answer["schema"])
