"""`make clean` removes nothing that is in use."""

import subprocess
from pathlib import Path

import pytest

from app.settings import PROJECT


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A checkout whose `livetape` writes down what it is asked; it fails for a home in `busy`."""
    script = 'echo "$LIVETAPE_HOME $LIVETAPE_KAFKA_BOOTSTRAP$*" >>asked; ! grep -qx "$LIVETAPE_HOME" busy'
    program = tmp_path / ".venv" / "bin" / "livetape"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (tmp_path / "busy").touch()
    (tmp_path / ".livetape" / "data").mkdir(parents=True)
    return tmp_path


def clean(checkout: Path) -> int:
    return subprocess.run(["make", "-f", PROJECT / "Makefile", "clean"], cwd=checkout, check=False).returncode


def test_servers_are_stopped_before_their_files_go(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETAPE_HOME", "/elsewhere")
    monkeypatch.setenv("LIVETAPE_KAFKA_BOOTSTRAP", "of.others:9092")
    assert clean(built) == 0
    assert (built / "asked").read_text() == ".livetape/demo down --clean\n.livetape down --clean\n"
    assert sorted(each.name for each in built.iterdir()) == ["asked", "busy"]
    assert clean(built) == 0


@pytest.mark.parametrize("home", [".livetape", ".livetape/demo"])
def test_nothing_goes_while_a_run_or_a_bridge_is_on(built: Path, home: str) -> None:
    (built / "busy").write_text(home)
    assert clean(built) != 0
    assert (built / ".livetape" / "data").is_dir()
    assert (built / ".venv").is_dir()
