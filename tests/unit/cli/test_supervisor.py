"""The parts of a run are kept alive, and end together."""

from pathlib import Path

import pytest

from cli.supervisor import RESTARTS, Part, PartFailed, Supervisor
from local.process import Command, tail
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
    assert f"fold                       ended by itself; restart 1 of {RESTARTS}" in told.out
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
    watched: list[None] = []
    supervisor.run(0.5, lambda: watched.append(None))
    supervisor.stop()
    assert watched
    assert not Path(f"/proc/{tail(tmp_path / 'fold.log')}").exists()
