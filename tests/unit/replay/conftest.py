"""The TLS of simulated exchanges and of their clients."""

import ssl

import pytest

from local import certificates
from tests.integration.bridge_kit import server_tls


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of server and client."""
    certs = certificates.ensure(tmp_path_factory.mktemp("certs"))
    return server_tls(certs), ssl.create_default_context(cafile=str(certs.ca))
