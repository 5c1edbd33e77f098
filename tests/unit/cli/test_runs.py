"""What `livetape status` and `down` say beside a run."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from cli import servers
from cli.runs import alone, demo_home, is_on
from local import stack
from local.errors import LocalError
from local.kafka import Kafka
from local.process import Command

LISTENING = "import socket, sys; s = [socket.create_server(('127.0.0.1', int(n))) for n in sys.argv[1:]]; s[0].accept()"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What commands of this process are told."""
    settings = stack.on_free_ports(Settings(), tmp_path)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def kafka_of_a_demo(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kafka]:
    """A demo's Kafka, as far as its port and its process go."""
    port = int(settings.kafka_bootstrap.rpartition(":")[2])
    monkeypatch.setattr(
        Kafka, "command", lambda _: Command([sys.executable, "-c", LISTENING, str(port), str(port + 1)], {})
    )
    monkeypatch.setattr(Kafka, "is_ready", lambda _: True)
    home = demo_home(settings)
    with alone(home):
        kafka = Kafka(home, port, port + 1)
        kafka.launch(detached=False)
        kafka.wait_ready()
        yield kafka
        kafka.stop()


def test_a_run_is_on_as_long_as_its_lock_is_held(tmp_path: Path) -> None:
    home = tmp_path / "run"
    assert not is_on(home)
    with alone(home):
        assert is_on(home)
        with pytest.raises(LocalError, match="is under way"), alone(home):
            pass
    assert not is_on(home)


def test_servers_of_a_demo_are_shown_as_its_own(
    settings: Settings, kafka_of_a_demo: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    running = kafka_of_a_demo.running()
    assert running is not None
    servers.status()
    told = capsys.readouterr().out
    assert re.search(f"Kafka +ready +{settings.kafka_bootstrap} +{running.pid}", told)
    assert f"A demo is on, and its servers end with it. Its logs are in {demo_home(settings) / 'logs'}." in told
    assert re.search("schema registry +stopped", told)
    servers.down(clean=False)
    assert "A demo is on" in capsys.readouterr().out
    assert running.is_alive()


def test_servers_are_not_taken_from_a_run(settings: Settings) -> None:
    with alone(settings.home), pytest.raises(LocalError, match="is on and has these servers: Ctrl-C"):
        servers.down(clean=True)
