"""The registry's ids of our schemas as they were last told, for a start while the registry is away."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from app.settings import Settings

FOLDER = "run"


def keep(settings: Settings, schemas: Mapping[str, str], ids: Mapping[str, int]) -> None:
    """Note what the registry told of these schemas, texts by record name."""
    file = _file(settings)
    unfinished = file.with_name(f"{file.name}.{os.getpid()}")  # others may start at the same time
    with contextlib.suppress(OSError):  # it is only for the next start
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps({"schemas": _marks(settings, schemas), "ids": ids}), encoding="utf-8")
        unfinished.replace(file)


def kept(settings: Settings, schemas: Mapping[str, str]) -> dict[str, int] | None:
    """The ids as they were noted; nothing where it was of another registry, or of schemas that have changed since."""
    try:
        noted = json.loads(_file(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return dict(noted["ids"]) if noted["schemas"] == _marks(settings, schemas) else None


def forget(home: Path) -> None:
    """Drop what is noted of a registry whose data go."""
    for file in (home / FOLDER).glob("schema-ids-*.json"):
        file.unlink(missing_ok=True)


def _marks(settings: Settings, schemas: Mapping[str, str]) -> dict[str, str]:
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in schemas.items()}
    return {"registry": settings.registry_url, **digests}


def _file(settings: Settings) -> Path:
    return settings.home / FOLDER / f"schema-ids-{settings.namespace}.json"
