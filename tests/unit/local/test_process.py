"""Child processes end with their parent, however it ends, and nothing else is ever ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.settings import PROJECT
from local import process
from local.errors import NotOurs, SoftwareMissing
from local.process import Command

SLEEP = Command(["sleep", "600"], {})
STUBBORN = Command(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 600 & wait; done"], {}, stop_timeout_s=0.2)


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_child_is_stopped_by_its_signal(tmp_path: Path) -> None:
    child = process.spawn(SLEEP, tmp_path / "log", detached=False)
    assert child.is_alive()
    child.stop()
    assert not child.is_alive()


def test_a_child_deaf_to_its_signal_is_ended_with_its_whole_group(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = process.spawn(STUBBORN, log, detached=False)
    assert eventually(lambda: "deaf" in process.tail(log))
    family = psutil.Process(child.pid).children(recursive=True)
    child.stop()
    assert eventually(lambda: not child.is_alive())
    assert eventually(lambda: not any(member.is_running() for member in family))


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import time; from pathlib import Path; from local import process\n"
        f"log = Path({str(tmp_path / 'log')!r})\n"
        "child = process.spawn(process.Command(['sleep', '600'], {}), log, detached=False)\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        assert eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_saved_child_is_found_again(tmp_path: Path) -> None:
    child = process.spawn(SLEEP, tmp_path / "log", detached=True)
    process.save(child, tmp_path / "pid")
    found = process.find(tmp_path / "pid", lambda: SLEEP)
    assert found is not None
    assert found.pid == child.pid
    found.stop()
    assert process.find(tmp_path / "pid", lambda: SLEEP) is None


def test_a_child_that_another_user_started_is_named_with_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = process.spawn(SLEEP, tmp_path / "log", detached=True)
    owner = psutil.Process(child.pid).username()
    with monkeypatch.context() as patched:
        patched.setattr(psutil.Process, "send_signal", refuse)
        with pytest.raises(NotOurs, match=rf"sleep \(pid {child.pid}\) belongs to {owner}: stop it as that user"):
            child.stop()
    child.stop()


def refuse(*_: object) -> None:
    raise psutil.AccessDenied


def test_another_process_with_the_saved_id_is_not_taken_for_the_child(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(f"{os.getpid()} 1\n")
    assert process.find(tmp_path / "pid", lambda: SLEEP) is None


def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for word in ("first", "second"):
        assert process.spawn(Command(["echo", word], {}), log, detached=False).wait(120)
    assert (process.tail(log), process.tail(tmp_path / "log.1")) == ("second", "first")


def test_a_setting_that_a_child_is_given_has_nothing_of_ours_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "LIVETAPE_VENUES__KRAKEN__URL": "wss://real",
        "livetape_venues__okx__url": "wss://real",
        "livetape_venues": "{}",
        "LIVETAPE_KAFKA_CLIENT__ACKS": "all",
        "VENUES__KRAKEN": "of another program",
    }.items():
        monkeypatch.setenv(name, value)
    log = tmp_path / "log"
    assert process.spawn(Command(["env"], {"LIVETAPE_VENUES": '{"kraken": {}}'}), log, detached=False).wait(120)
    told = dict(line.split("=", 1) for line in log.read_text().splitlines() if "VENUES" in line.upper())
    assert told == {"LIVETAPE_VENUES": '{"kraken": {}}', "VENUES__KRAKEN": "of another program"}
    assert "LIVETAPE_KAFKA_CLIENT__ACKS=all" in log.read_text()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(SoftwareMissing, match="no-such-program"):
        process.spawn(Command(["no-such-program"], {}, signal.SIGTERM), tmp_path / "log", detached=False)
