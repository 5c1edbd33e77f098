"""The parts of a run are kept alive, and end together."""

import re
from pathlib import Path

import pytest

import cli.supervisor as supervisor_module
from cli.supervisor import RESTART_DELAYS_S, RESTARTS, Part, PartFailed, Supervisor
from local import process
from local.errors import LocalError
from local.process import Child, Command, tail
from tests.integration.api_kit import WAIT_S, eventually


def part(folder: Path, name: str, script: str) -> Part:
    log = folder / f"{name}.log"
    return Part(name, Command(["sh", "-c", script], {}), log, lambda: "ready" in tail(log))


def test_a_part_is_ready_when_it_says_so(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.start(part(tmp_path, "fold", "echo ready; sleep 600"))
    supervisor.wait_ready("fold", WAIT_S)
    supervisor.stop()


def test_a_part_that_ends_once_is_restarted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marker = tmp_path / "was here"
    script = f"if [ -e '{marker}' ]; then echo ready; sleep 600; fi; touch '{marker}'; echo broken pipe; exit 1"
    supervisor = Supervisor()
    supervisor.start(part(tmp_path, "fold", script))
    supervisor.wait_ready("fold", WAIT_S)
    supervisor.stop()
    told = capsys.readouterr()
    assert f"fold                       ended by itself; started again in {RESTART_DELAYS_S[0]:g} s" in told.out
    assert "broken pipe" in told.err


def test_a_part_that_keeps_ending_fails_the_run_with_the_end_of_its_log(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.start(part(tmp_path, "SQL sink", "echo no such database; exit 1"))
    with pytest.raises(PartFailed, match=rf"SQL sink ended {RESTARTS + 1} times\nno such database"):
        supervisor.wait_ready("SQL sink", WAIT_S)
    supervisor.stop()


def test_a_part_that_is_never_ready_fails_the_run(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.start(part(tmp_path, "API", "echo still loading; sleep 600"))
    eventually(lambda: "still loading" in tail(tmp_path / "API.log"))
    with pytest.raises(PartFailed, match="API was not ready after 1 s\nstill loading"):
        supervisor.wait_ready("API", 1)
    supervisor.stop()


def test_a_run_ends_by_itself_after_its_time(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.start(part(tmp_path, "fold", "echo $$; sleep 600"))
    eventually(lambda: tail(tmp_path / "fold.log").isdecimal())
    supervisor.run(0.5)
    supervisor.stop()
    assert not Path(f"/proc/{tail(tmp_path / 'fold.log')}").exists()


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarts that are not waited for."""
    monkeypatch.setattr(supervisor_module, "RESTART_DELAYS_S", (0.0, 0.0))


@pytest.mark.usefixtures("_quick")
def test_a_run_for_good_goes_on_beside_a_part_that_ends_again_and_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor = Supervisor(for_good=True)
    supervisor.start(part(tmp_path, "bridge", "echo ready $$; sleep 600"))
    supervisor.start(part(tmp_path, "candle check", "exit 1"))
    supervisor.wait_ready("bridge", WAIT_S)
    bridge = tail(tmp_path / "bridge.log")
    told: list[str] = []

    def has_ended_often() -> bool:
        told.extend(re.findall("candle check +ended by itself", capsys.readouterr().out))
        return len(told) > RESTARTS + 1

    supervisor.wait_until(has_ended_often, WAIT_S, "the part was given up", tmp_path / "candle check.log")
    assert tail(tmp_path / "bridge.log") == bridge
    supervisor.stop()


def test_what_is_not_ready_in_time_is_told_by_a_run_for_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor = Supervisor(for_good=True)
    supervisor.start(part(tmp_path, "API", "sleep 600"))
    with supervisor.tolerating():
        supervisor.wait_ready("API", 0)
    supervisor.stop()
    assert "API was not ready after 0 s" in capsys.readouterr().err
    with pytest.raises(PartFailed), Supervisor().tolerating():
        raise PartFailed


@pytest.mark.usefixtures("_quick")
def test_a_server_that_ends_is_started_again_as_soon_as_it_can_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = process.spawn(Command(["true"], {}), tmp_path / "log", detached=False)
    started: list[Child] = []
    refusals = [OSError("no room"), LocalError("the port is taken")]

    def start() -> Child:
        if refusals:
            raise refusals.pop()
        started.append(process.spawn(Command(["sleep", "600"], {}), tmp_path / "log", detached=False))
        return started[0]

    supervisor = Supervisor(for_good=True)
    supervisor.keep("Postgres", tmp_path / "log", first, start)
    supervisor.wait_until(lambda: started != [], WAIT_S, "it was not started", tmp_path / "log")
    supervisor.stop()
    assert started[0].is_alive()
    started[0].stop()
    assert re.findall("cannot be started: [a-z ]+", capsys.readouterr().out) == [
        "cannot be started: the port is taken",
        "cannot be started: no room",
    ]
