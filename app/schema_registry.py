"""Registers the schemas of schemas/*.avsc, by record name, before anything is written with them.

A subject is the full name of its record (`livetape.Trade`), and who has a new version must be able to read what was
written by the one before: compatibility BACKWARD.
"""

import json
from pathlib import Path
from typing import Final

import httpx

from app.aggregates import load_aggregates
from app.aggregates.schema import schema_text
from app.settings import Settings

TIMEOUT_S: Final = 30.0
COMPATIBILITY: Final = "BACKWARD"
_CONFLICT: Final = 409
_CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"


class RegistryError(Exception):
    """A schema could not be registered; the message names it, says why and what to do."""


def register_all(settings: Settings) -> dict[str, int]:
    """Registry id of every schema in the settings' folder and of every aggregate, by full record name.

    Registered ones stay as they are.

    Raises:
        RegistryError: the registry is away, or refuses a schema as incompatible with the version before.
    """
    ids = {}
    with _client(settings) as client:
        for path in sorted(settings.schemas_dir.glob("*.avsc")):
            name, text = _read(path)
            ids[name] = _register(client, name, text, path.name)
        for aggregate in load_aggregates(settings):
            ids[aggregate.record] = _register(client, aggregate.record, schema_text(aggregate), aggregate.type.__name__)
    return ids


def _client(settings: Settings) -> httpx.Client:
    headers = {"content-type": _CONTENT_TYPE}
    return httpx.Client(base_url=settings.registry_url, auth=settings.registry_auth, timeout=TIMEOUT_S, headers=headers)


def _read(path: Path) -> tuple[str, str]:
    text = path.read_text(encoding="utf-8")
    schema = json.loads(text)
    return f"{schema['namespace']}.{schema['name']}", text


def _register(client: httpx.Client, name: str, text: str, source: str) -> int:
    try:
        client.put(
            f"/config/{name}", json={"compatibility": COMPATIBILITY}
        )  # before the first version it may not be there
        answer = client.post(f"/subjects/{name}/versions", json={"schema": text})
        if answer.status_code == _CONFLICT:
            raise RegistryError(
                f"{source} is not backward compatible with the registered {name}: {answer.text}. "
                "Give new fields a default, and keep the types of old ones"
            )
        answer.raise_for_status()
        return int(answer.json()["id"])
    except httpx.HTTPError as error:
        raise RegistryError(
            f"the schema registry at {client.base_url} did not take {source}: {error or type(error).__name__}. "
            "Is it running (`livetape status`), and is LIVETAPE_REGISTRY_URL right?"
        ) from error
