"""Schemas by id from the registry, each asked for once; those of the last start while it is away."""

from time import monotonic
from typing import Final

import httpx

from app.http_client import client_of
from app.kept_schema_ids import kept_schema
from app.records import BadRecord
from app.settings import Settings

TIMEOUT_S: Final = 5.0
UNKNOWN_S: Final = 1.0
"""How long the answer that there is no such schema is good for: a topic may hold many records of it."""
NOT_FOUND: Final = 404
OF_WHO_ASKS: Final = frozenset({401, 407, 408, 425, 429})
"""Refusals that say nothing of the schema: who asks is not known, or is to ask again."""
NOT_TOLD: Final = (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError)  # it may be no registry


class RegistryAway(Exception):
    """The registry did not answer as one; nothing is known about the schema, so ask again later."""


class RegistrySchemas:
    """Looks schemas up at the Confluent-compatible registry of the settings; connects on the first call."""

    def __init__(self, settings: Settings, own_id: int | None = None) -> None:
        """`own_id` is of a schema that the registry has; without it one that was asked for tells whether it answers."""
        self._settings = settings
        self._own_id = own_id
        self._url = settings.registry_url.rstrip("/")
        # Made once: reading the certificates takes longer than all else. No connection is kept for the rare new schema.
        none_kept = httpx.Limits(max_keepalive_connections=0)
        self._client = client_of(self._url, auth=settings.registry_auth, timeout=TIMEOUT_S, limits=none_kept)
        self._known: dict[int, str] = {}
        self._refused: dict[int, tuple[str, float]] = {}  # why, and until when that is good

    def __call__(self, schema_id: int) -> str:
        """JSON text of the schema.

        Raises:
            BadRecord: the registry knows no such id, or does not tell this one.
            RegistryAway: the registry could not be asked, and had not told it at the last start of this home.
        """
        if schema_id not in self._known:
            reason, until_s = self._refused.get(schema_id, ("", 0.0))
            if monotonic() < until_s:
                raise BadRecord(reason)
            self._known[schema_id] = self._ask_or_remember(schema_id)
        return self._known[schema_id]

    def _ask_or_remember(self, schema_id: int) -> str:
        try:
            return self._ask(schema_id)
        except RegistryAway:
            schema = kept_schema(self._settings, schema_id)
            if schema is None:
                raise
            return schema

    def _ask(self, schema_id: int) -> str:
        try:
            return self._get(schema_id)
        except NOT_TOLD as error:
            reason = self._refusal(schema_id, error)
            if reason is None:
                raise RegistryAway(f"schema registry at {self._url}: {error or type(error).__name__}") from error
            self._refuse(schema_id, reason)
            raise BadRecord(reason) from error

    def _refuse(self, schema_id: int, reason: str) -> None:
        """Refuse it for a while; ids of bad bytes are many, and none is kept for longer."""
        now_s = monotonic()
        still = {refused: why for refused, why in tuple(self._refused.items()) if why[1] > now_s}
        self._refused = {**still, schema_id: (reason, now_s + UNKNOWN_S)}

    def _get(self, schema_id: int) -> str:
        answer = self._client.get(f"{self._url}/schemas/ids/{schema_id}")
        answer.raise_for_status()
        return str(answer.json()["schema"])

    def _refusal(self, schema_id: int, error: Exception) -> str | None:
        """Why there is no schema of this id; nothing where the answer, or that there is none, does not tell.

        What the registry says of every id it says of who asks: that nothing may be read, or that it is no registry.
        """
        if isinstance(error, httpx.HTTPStatusError):
            status = error.response.status_code
            if status == NOT_FOUND:
                return f"unknown schema id {schema_id}"
            is_of_id, why = not error.response.is_server_error and status not in OF_WHO_ASKS, f"status {status}"
        else:
            is_of_id, why = not isinstance(error, httpx.HTTPError | httpx.InvalidURL), "an answer without it"
        is_of_id = is_of_id and self._tells_another()
        return f"the registry does not tell schema id {schema_id}: {why}" if is_of_id else None

    def _tells_another(self) -> bool:
        """Whether it tells a schema, now, that it has for certain."""
        known = tuple(self._known)  # at once: another thread may learn one meanwhile
        certain = next(iter(known), None) if self._own_id is None else self._own_id
        if certain is None:
            return False
        try:
            self._get(certain)
        except NOT_TOLD:
            return False
        return True
