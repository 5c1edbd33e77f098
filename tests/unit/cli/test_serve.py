"""`livetape serve` with no Kafka and no Postgres: what ends it."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from app.settings import PROJECT, Settings
from cli.parts import api_command
from local import ports

STOPPED_S = 60.0
"""More than it takes on a busy machine; a client that does not read is waited for without end."""
LARGE = json.dumps({"op": "subscribe", "channel": "movers", "interval": "x" * 16_000})
"""Its refusal is as large."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Address and process of an API that answers."""
    (port,) = ports.free_ports(1)
    settings = Settings(
        home=tmp_path,
        api_port=port,
        kafka_bootstrap="127.0.0.1:1",
        postgres_url="postgresql+psycopg://livetape@127.0.0.1:1",
    )
    environment = {**os.environ, **settings.environment()}
    with (
        (tmp_path / "api.log").open("wb") as log,
        subprocess.Popen(api_command(settings), cwd=PROJECT, env=environment, stdout=log, stderr=log) as process,
    ):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            while not answers(http):
                assert process.poll() is None, (tmp_path / "api.log").read_text()
        yield f"127.0.0.1:{port}", process


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").is_success
    except httpx.TransportError:
        return False


async def fill(websocket: ClientConnection) -> None:
    """Ask, and read no answer, until the server takes no more questions."""
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(3):
                await websocket.send(LARGE)


async def test_a_client_that_does_not_read_does_not_keep_the_api_from_stopping(
    server: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    address, process = server
    async with connect(f"ws://{address}/ws", compression=None, max_queue=1) as stalled:
        await fill(stalled)
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, STOPPED_S)
        finally:
            process.kill()
