"""The local certificates carry a real TLS connection, and only to those who trust their authority."""

import asyncio
import ssl
from pathlib import Path

import pytest

from local import certificates
from local.certificates import Certificates


async def greet(files: Certificates, client: ssl.SSLContext) -> bytes:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.server, files.key)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        greeting = await reader.read()
        writer.close()
        return greeting


async def test_a_client_that_trusts_the_authority_connects(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path)
    assert await greet(files, ssl.create_default_context(cafile=str(files.ca))) == b"hello"


async def test_a_client_that_does_not_trust_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await greet(certificates.ensure(tmp_path), ssl.create_default_context())


def test_certificates_are_kept_while_they_are_good(tmp_path: Path) -> None:
    before = certificates.ensure(tmp_path).server.read_bytes()
    assert certificates.ensure(tmp_path).server.read_bytes() == before
    (tmp_path / "server.key").unlink()
    assert certificates.ensure(tmp_path).server.read_bytes() != before


def test_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    assert certificates.ensure(tmp_path).key.stat().st_mode & 0o077 == 0
