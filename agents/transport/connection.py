"""How Faust and aiokafka reach the cluster: by the same librdkafka properties as every other client of livetape."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from aiokafka.errors import KafkaConnectionError
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from faust.types.auth import CredentialsT

from app.settings import Settings

log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
REQUEST_TIMEOUT_MS: Final = 10_000
"""How long a broker may take to store what is written."""
PROTOCOLS: Final = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"}
MECHANISMS: Final = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
PROPERTIES: Final = {
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
}


class WrongProperty(ValueError):
    """LIVETAPE_KAFKA_CLIENT has something that cannot be followed; the message names it."""


class UnmappedProperty(WrongProperty):
    """It is something that the Faust side cannot do."""


class UnreadableFile(WrongProperty):
    """It is a file of certificates or keys that is not there, or none."""


def app_connection(settings: Settings) -> dict[str, Any]:
    """Options of a Faust app. Raises WrongProperty."""
    return {
        "broker": [f"livetape://{server}" for server in _servers(settings)],
        "broker_credentials": credentials(settings.kafka_client),
    }


def consumer_connection(settings: Settings) -> dict[str, Any]:
    """Options of an aiokafka consumer. Raises WrongProperty."""
    return {
        "bootstrap_servers": _servers(settings),
        **credentials_to_aiokafka_auth(credentials(settings.kafka_client)),
    }


async def once_reached(connect: Callable[[], Awaitable[None]]) -> None:
    """Connect by aiokafka as soon as a broker answers, however long that takes: it is started when we are, or again."""
    while True:
        try:
            return await connect()
        except KafkaConnectionError as error:  # aiokafka has logged why, for each broker
            log.warning("no broker can be used so far, and it is tried again each %.0f s: %s", AGAIN_S, error)
        await asyncio.sleep(AGAIN_S)


def credentials(properties: Mapping[str, str]) -> CredentialsT | None:
    """Faust's credentials for librdkafka's properties; None for a cluster that asks for nothing.

    Raises:
        UnmappedProperty: a property or a value has no counterpart.
        UnreadableFile: a file of certificates or keys cannot be read.
    """
    unmapped = sorted(properties.keys() - PROPERTIES)
    if unmapped:
        raise UnmappedProperty(
            f"LIVETAPE_KAFKA_CLIENT has {', '.join(unmapped)}, which Faust's client cannot follow; "
            f"it knows {', '.join(sorted(PROPERTIES))}"
        )
    protocol = _one_of(PROTOCOLS, "security.protocol", properties.get("security.protocol", "plaintext").lower())
    context = _ssl_context(properties) if protocol.endswith("ssl") else None
    if protocol.startswith("sasl"):
        return _sasl(properties, context)
    return None if context is None else SSLCredentials(context)


def _sasl(properties: Mapping[str, str], context: ssl.SSLContext | None) -> CredentialsT:
    mechanism = properties.get("sasl.mechanism") or properties.get("sasl.mechanisms", "GSSAPI")  # librdkafka's default
    return SASLCredentials(
        username=properties.get("sasl.username"),
        password=properties.get("sasl.password"),
        mechanism=_one_of(MECHANISMS, "sasl.mechanism", mechanism.upper()),
        ssl_context=context,
    )


def _ssl_context(properties: Mapping[str, str]) -> ssl.SSLContext:
    with _files(properties, "ssl.ca.location"):
        context = ssl.create_default_context(cafile=properties.get("ssl.ca.location"))
    certificate = properties.get("ssl.certificate.location")
    if certificate is not None:
        with _files(properties, "ssl.certificate.location", "ssl.key.location"):
            context.load_cert_chain(certificate, properties.get("ssl.key.location"), properties.get("ssl.key.password"))
    checked = properties.get("ssl.endpoint.identification.algorithm", "https").lower()
    context.check_hostname = _one_of({"https", "none"}, "ssl.endpoint.identification.algorithm", checked) == "https"
    return context


@contextmanager
def _files(properties: Mapping[str, str], *names: str) -> Iterator[None]:
    """Say of an error which files are being read: the system's own names none."""
    try:
        yield
    except OSError as error:
        told = " and ".join(f"{name} {properties[name]}" for name in names if name in properties)
        raise UnreadableFile(f"LIVETAPE_KAFKA_CLIENT has {told}: {error.strerror or error}") from error


def _one_of(known: set[str], name: str, value: str) -> str:
    if value not in known:
        raise UnmappedProperty(
            f"LIVETAPE_KAFKA_CLIENT has {name} {value}, and Faust's client knows only {', '.join(sorted(known))}"
        )
    return value


def _servers(settings: Settings) -> list[str]:
    return [server.strip() for server in settings.kafka_bootstrap.split(",")]
