"""Apicurio Registry on one machine: the Confluent-compatible schema registry, its schemas in a file."""

import signal
from pathlib import Path

import httpx

from app.http_client import ask
from local import java
from local.errors import ServerFailed, SoftwareMissing
from local.process import Command, tail
from local.server import SERVERS, Server

FOLDER = SERVERS / "registry"


class Registry(Server):
    """Serves the Confluent API under /apis/ccompat/v7, with BACKWARD compatibility for every subject."""

    name = "registry"
    title = "schema registry"
    setting = "LIVETAPE_REGISTRY_URL"

    def __init__(self, home: Path, port: int) -> None:
        super().__init__(home, {"http": port})
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"

    def prepare(self) -> None:
        """Make the folder of its database."""
        self.data.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        """The registry with its database in a file, so that schema ids outlive a restart."""
        jar = FOLDER / "quarkus-run.jar"
        if not jar.exists():
            raise SoftwareMissing("the schema registry", "run `make servers`")
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self.ports["http"],
            "quarkus.management.host": "127.0.0.1",
            "quarkus.management.port": 0,  # any free one: it cannot be switched off
            "quarkus.http.access-log.enabled": "false",
            "quarkus.otel.sdk.disabled": "true",
            "apicurio.datasource.url": f"jdbc:h2:file:{self.data / 'registry'}",
            "apicurio.datasource.jdbc.initial-size": 2,
            "apicurio.datasource.jdbc.min-size": 2,
        }
        options = [f"-D{key}={value}" for key, value in settings.items()]
        command = [*java.server("-Xmx384m", *options), "-jar", str(jar)]
        return Command(command, java.ENVIRONMENT, orphan_signal=signal.SIGTERM)

    def is_ready(self) -> bool:
        """Whether it lists its subjects."""
        try:
            return ask("GET", f"{self.url}/subjects", timeout_s=2.0).is_success
        except httpx.HTTPError:
            return False

    def settle(self) -> None:
        """Set the global compatibility, which is NONE by default, to BACKWARD."""
        answer = ask("PUT", f"{self.url}/config", json={"compatibility": "BACKWARD"}, timeout_s=10.0)
        if not answer.is_success:
            raise ServerFailed(self.title, f"refused BACKWARD compatibility ({answer.text})", self.log, tail(self.log))
