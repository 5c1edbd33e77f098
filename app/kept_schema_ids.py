"""The registry's ids of our schemas, and of the user's, as they were last told: for a start while it is away."""

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from app.settings import Settings

FOLDER = "run"


def keep(settings: Settings, schemas: Mapping[str, str], ids: Mapping[str, int]) -> None:
    """Note what the registry told of these schemas, texts by record name, beside what it told of others."""
    _keep(settings, "schemas", {name: {"text": text, "id": ids[name]} for name, text in schemas.items()})


def keep_versions(settings: Settings, ids: Mapping[str, Collection[int]]) -> None:
    """Note the ids of all versions of these schemas, by record name."""
    _keep(settings, "versions", {name: sorted(each) for name, each in ids.items()})


def _keep(settings: Settings, what: str, told: Mapping[str, object]) -> None:
    file = _file(settings)
    unfinished = file.with_suffix(".new")
    with contextlib.suppress(OSError):  # it is only for the next start
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # others may start at the same time, and each adds to the same file
            noted = _noted(settings)
            noted = {**noted, "registry": settings.registry_url, what: {**noted.get(what, {}), **told}}
            unfinished.write_text(json.dumps(noted), encoding="utf-8")
            unfinished.replace(file)


def kept(settings: Settings, schemas: Mapping[str, str]) -> dict[str, int] | None:
    """The ids as they were noted; nothing where it was of another registry, or of schemas that have changed since."""
    noted = _noted(settings).get("schemas", {})
    if not all(_is_of(noted.get(name, {}), text) for name, text in schemas.items()):
        return None
    return {name: int(noted[name]["id"]) for name in schemas}


def kept_schema(settings: Settings, schema_id: int) -> str | None:
    """The text of the schema that was noted with an id; nothing where this registry told none of it."""
    noted = _noted(settings).get("schemas", {}).values()
    return next((each.get("text") for each in noted if each["id"] == schema_id), None)


def kept_versions(settings: Settings, records: Collection[str]) -> dict[str, set[int]] | None:
    """The ids of all versions as they were noted; nothing where this registry told none."""
    noted = _noted(settings).get("versions", {})
    return {name: {*noted[name]} for name in records} if noted.keys() >= {*records} else None


def forget(home: Path) -> None:
    """Drop what is noted of a registry whose data go."""
    for file in (home / FOLDER).glob("schema-ids-*.json"):
        file.unlink(missing_ok=True)


def _noted(settings: Settings) -> dict[str, Any]:
    """What this registry told: `schemas` and `versions`, each by record name."""
    try:
        noted = json.loads(_file(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(noted) if noted.get("registry") == settings.registry_url else {}


def _is_of(entry: Mapping[str, Any], text: str) -> bool:
    """Whether it was noted of this schema; a digest was noted in the place of its text once."""
    if "text" in entry:
        return bool(entry["text"] == text)
    return entry.get("digest") == hashlib.sha256(text.encode()).hexdigest()


def _file(settings: Settings) -> Path:
    return settings.home / FOLDER / f"schema-ids-{settings.namespace}.json"
