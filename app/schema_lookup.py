"""Schemas by id from the registry, each asked for once."""

from time import monotonic
from typing import Final

import httpx

from app.http_client import client_of
from app.records import BadRecord
from app.settings import Settings

TIMEOUT_S: Final = 5.0
UNKNOWN_S: Final = 1.0
"""How long the answer that there is no such schema is good for: a topic may hold many records of it."""
NOT_FOUND: Final = 404


class RegistryAway(Exception):
    """The registry did not answer; nothing is known about the schema, so ask again later."""


class RegistrySchemas:
    """Looks schemas up at the Confluent-compatible registry of the settings; connects on the first call."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.registry_url.rstrip("/")
        # Made once: reading the certificates takes longer than all else. No connection is kept for the rare new schema.
        none_kept = httpx.Limits(max_keepalive_connections=0)
        self._client = client_of(self._url, auth=settings.registry_auth, timeout=TIMEOUT_S, limits=none_kept)
        self._known: dict[int, str] = {}
        self._unknown_until_s: dict[int, float] = {}

    def __call__(self, schema_id: int) -> str:
        """JSON text of the schema.

        Raises:
            BadRecord: the registry knows no such id.
            RegistryAway: the registry could not be asked.
        """
        if schema_id not in self._known:
            if monotonic() < self._unknown_until_s.get(schema_id, 0.0):
                raise BadRecord(_unknown(schema_id))
            self._known[schema_id] = self._ask(schema_id)
        return self._known[schema_id]

    def _ask(self, schema_id: int) -> str:
        try:
            answer = self._client.get(f"{self._url}/schemas/ids/{schema_id}")
            if answer.status_code == NOT_FOUND:
                self._unknown_until_s[schema_id] = monotonic() + UNKNOWN_S
                raise BadRecord(_unknown(schema_id))
            answer.raise_for_status()
            return str(answer.json()["schema"])
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:  # it may be no registry
            raise RegistryAway(f"schema registry at {self._url}: {error or type(error).__name__}") from error


def _unknown(schema_id: int) -> str:
    return f"unknown schema id {schema_id}"
