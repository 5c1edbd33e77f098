"""Real servers for tests: one Kafka, schema registry and Postgres a session, a namespace of its own a test."""

import itertools
import os
from collections.abc import Iterator

import hypothesis
import pytest

from app.settings import Settings
from local import certificates, ports, stack

for _name in [name for name in os.environ if name.startswith("LIVETAPE_") or name.lower().endswith("_proxy")]:
    del os.environ[_name]  # tests see the defaults, not the settings of who runs them, and talk to this machine alone

# No deadlines: how long an example takes says what else the machine does. A commit is tested with the same examples
# each time, so that it passes everywhere or nowhere; `pytest --hypothesis-profile=search` looks for new ones.
hypothesis.settings.register_profile("livetape", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile("livetape")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The real servers on free ports with their files in a temporary folder, as settings that reach them."""
    settings = stack.on_free_ports(Settings(namespace="test"), tmp_path_factory.mktemp("livetape"))
    with stack.running(settings):
        yield settings


@pytest.fixture
def settings(servers: Settings) -> Settings:
    """Settings of one test: the session's servers, and a namespace and ZeroMQ addresses that no other test has."""
    data, retry = ports.free_ports(2)
    zmq = {"zmq_data": f"tcp://127.0.0.1:{data}", "zmq_retry": f"tcp://127.0.0.1:{retry}"}
    own = {"namespace": f"test-{os.getpid()}-{next(_numbers)}", **zmq}
    return servers.model_copy(update=own)


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """An authority and a server certificate for localhost."""
    return certificates.ensure(tmp_path_factory.mktemp("certs"))
