"""Where a run takes place: servers of its own, and a way to each of them for every part, which can be broken alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.settings import Settings
from local import ports, stack
from local.kafka import Kafka
from local.postgres import Postgres
from local.stack import Stack
from tests.network import Network, Proxy


@dataclass(frozen=True)
class Way:
    """How one part reaches Kafka and Postgres."""

    settings: Settings
    kafka: Proxy
    postgres: Proxy

    def __iter__(self) -> Iterator[Proxy]:
        return iter((self.kafka, self.postgres))


@dataclass(frozen=True)
class Place:
    """Running servers; `settings` reach them straight, each part's own through its proxies."""

    settings: Settings
    kafka: Kafka
    postgres: Postgres
    ways: dict[str, Way]

    def in_namespace(self, namespace: str) -> "Place":
        """The same servers for a run that meets no other one."""
        update = {"namespace": namespace}
        ways = {part: replace(way, settings=way.settings.model_copy(update=update)) for part, way in self.ways.items()}
        return replace(self, settings=self.settings.model_copy(update=update), ways=ways)


class ManyDoors(Kafka):
    """Kafka with a listener for each part, which tells its clients to come back by that part's proxy."""

    def __init__(self, home: Path, port: int, controller_port: int, doors: dict[int, int]) -> None:
        super().__init__(home, port, controller_port)
        self._doors = doors
        self.ports |= {f"proxied {door}": door for door in doors}

    def _properties(self) -> dict[str, object]:
        properties = super()._properties()
        names = {door: f"PROXIED{door}" for door in self._doors}
        more = {
            "listeners": [f"{names[door]}://127.0.0.1:{door}" for door in self._doors],
            "advertised.listeners": [f"{names[door]}://127.0.0.1:{proxy}" for door, proxy in self._doors.items()],
            "listener.security.protocol.map": [f"{name}:PLAINTEXT" for name in names.values()],
        }
        return properties | {key: ",".join([str(properties[key]), *values]) for key, values in more.items()}


PORTS_A_PART: Final = 5


@contextmanager
def running(base: Settings, home: Path, parts: list[str]) -> Iterator[Place]:
    """Servers with their files under `home`, and proxies, for as long as the block runs."""
    settings = stack.on_free_ports(base, home)
    network = Network()
    servers = Stack(settings)
    numbers = iter(_free_ports(PORTS_A_PART * len(parts), servers))
    postgres, direct, registry = servers.servers
    assert isinstance(postgres, Postgres)
    assert isinstance(direct, Kafka)
    doors = {part: (next(numbers), next(numbers)) for part in parts}
    kafka = ManyDoors(home, direct.ports["clients"], direct.ports["controller"], dict(doors.values()))
    servers.servers = [postgres, kafka, registry]
    with network.running():
        ways = {}
        for part, (door, proxy) in doors.items():
            to_postgres = network.link(next(numbers), postgres.ports["sql"])
            update = {
                "kafka_bootstrap": f"127.0.0.1:{proxy}",
                "postgres_url": f"postgresql+psycopg://livetape@127.0.0.1:{to_postgres.port}",
                "api_port": next(numbers),
                "worker_metrics_port": next(numbers),
            }
            ways[part] = Way(settings.model_copy(update=update), network.link(proxy, door), to_postgres)
        servers.start(detached=False)
        try:
            yield Place(settings, kafka, postgres, ways)
        finally:
            servers.stop_started()


def _free_ports(count: int, servers: Stack) -> list[int]:
    """Free ones that the servers will not take either."""
    taken = {port for server in servers.servers for port in server.ports.values()}
    while taken & set(row := ports.free_ports(count)):
        pass
    return row
