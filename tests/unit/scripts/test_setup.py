"""Set-up runs what is missing, only that, and says what it cannot do."""

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from app.settings import PROJECT


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The set-up script, at work in a folder of its own."""
    spec = importlib.util.spec_from_file_location("setup_script", PROJECT / "scripts" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "setup_script", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PROJECT", tmp_path)
    for name in ("STAMPS", "LOGS"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setattr(module, name, folder)
    return module


def test_a_step_runs_again_only_when_its_inputs_or_outputs_changed(setup: ModuleType, tmp_path: Path) -> None:
    source, output = tmp_path / "source", tmp_path / "output"
    source.write_text("1")
    runs: list[str] = []

    def build(_: object) -> None:
        runs.append(source.read_text())
        output.write_text("")

    step = setup.Step("build", "build", ["sour*"], build, ["output"])
    setup.run_step(step)
    setup.run_step(step)
    assert runs == ["1"]
    source.write_text("2")
    setup.run_step(step)
    output.unlink()
    setup.run_step(step)
    assert runs == ["1", "2", "2"]


@pytest.mark.parametrize(
    ("step", "source"),
    [
        ("web", "web/src/feed/history.ts"),
        ("bridge", "bridge/CMakeLists.txt"),
        ("bridge", "native/include/livetape/decimal.hpp"),
        ("kernel", "native/include/livetape/decimal.hpp"),
    ],
)
def test_a_change_of_a_source_in_any_folder_is_an_input(setup: ModuleType, step: str, source: str) -> None:
    found = {path for pattern in setup.STEPS[step].inputs for path in PROJECT.glob(pattern)}
    assert PROJECT / source in found


def test_a_module_that_was_moved_is_installed_again_and_one_that_was_edited_is_not(
    setup: ModuleType, tmp_path: Path
) -> None:
    module, package = tmp_path / "app" / "views.py", tmp_path / "app" / "views" / "__init__.py"
    package.parent.mkdir(parents=True)
    module.write_text("1")
    runs: list[bool] = []
    step = setup.Step("kernel", "kernel", [], lambda _: runs.append(module.exists()), names=["app/**/*.py"])
    setup.run_step(step)
    module.write_text("2")
    setup.run_step(step)
    assert runs == [True]
    module.rename(package)
    setup.run_step(step)
    setup.run_step(step)
    assert runs == [True, False]


def test_the_modules_of_every_package_that_is_installed_are_known_by_their_names(setup: ModuleType) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    packages = project["tool"]["scikit-build"]["wheel"]["packages"]
    assert setup.STEPS["kernel"].names == [f"{package}/**/*.py" for package in packages]


def test_a_failing_command_is_shown_with_the_end_of_its_output_and_runs_again(setup: ModuleType) -> None:
    step = setup.Step("build", "C++ bridge", [], lambda log: log.call("sh", "-c", "echo no such header; exit 1"))
    for _ in range(2):
        with pytest.raises(setup.SetupError, match=r"C\+\+ bridge failed: sh -c .*\n(.*\n)?no such header"):
            setup.run_step(step)


def test_what_a_step_needs_comes_before_it(setup: ModuleType) -> None:
    assert setup.in_order(["web", "kernel"]) == ["packages", "python", "web", "kernel"]


def test_who_may_not_install_packages_is_told_the_command_for_root(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(setup, "missing_packages", lambda: ["g++", "cmake"])
    with pytest.raises(setup.SetupError, match=r"apt-get install g\+\+ cmake"):
        setup.install_packages(setup.Log(setup.STEPS["packages"]))


def test_another_system_is_told_what_to_install(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(setup, "missing_packages", lambda: ["g++"])
    with pytest.raises(setup.SetupError, match=r"no Debian system.*untested.*g\+\+"):
        setup.install_packages(setup.Log(setup.STEPS["packages"]))


def test_a_download_that_fails_once_is_tried_again(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "AGAIN_AFTER_S", (0, 0))
    tries = tmp_path / "tries"
    log = setup.Log(setup.Step("servers", "servers", [], list))
    log.download("sh", "-c", f"echo >>{tries}; [ $(wc -l <{tries}) -ge 2 ]")
    assert tries.read_text() == "\n\n"
    with pytest.raises(setup.SetupError, match="servers failed"):
        log.download("sh", "-c", f"echo >>{tries}; exit 1")
    assert tries.read_text() == "\n" * 5


def test_a_package_that_was_removed_is_installed_again(setup: ModuleType) -> None:
    lacking: list[str] = []
    runs: list[int] = []

    def install(_: object) -> None:
        runs.append(len(lacking))
        lacking.clear()

    step = setup.Step("packages", "packages", [], install, lacks=lambda: lacking)
    setup.run_step(step)
    lacking.append("g++")
    setup.run_step(step)
    setup.run_step(step)
    assert runs == [0, 1]


MAVEN = """#!/bin/sh
for argument; do case $argument in -Dservers=*) servers=${argument#*=};; esac; done
mkdir -p "$servers/kafka" "$servers/postgres/bin"
version=$(cat version)
touch "$servers/kafka/kafka-$version.jar"
echo "$version" >"$servers/postgres/bin/postgres"
tar -C "$servers/postgres" -cf "$servers/postgres/postgres-linux-x86_64.txz" bin
test "$version" != broken
"""


def test_nothing_of_an_earlier_version_of_a_server_is_left_beside_the_new_one(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven, version = tmp_path / "bin" / "mvn", tmp_path / "version"
    maven.parent.mkdir()
    maven.write_text(MAVEN)
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(setup, "HOME", tmp_path)
    monkeypatch.setattr(setup, "AGAIN_AFTER_S", ())
    monkeypatch.setattr(setup.Log.download, "__kwdefaults__", {"cwd": tmp_path, "env": None})
    log = setup.Log(setup.STEPS["servers"])
    for number in ("4.4.0", "4.4.1"):
        version.write_text(number)
        setup.install_servers(log)
    version.write_text("broken")
    with pytest.raises(setup.SetupError):
        setup.install_servers(log)
    servers = tmp_path / "servers"
    assert [jar.name for jar in (servers / "kafka").iterdir()] == ["kafka-4.4.1.jar"]
    assert (servers / "postgres" / "bin" / "postgres").read_text() == "4.4.1\n"
    version.write_text("4.4.2")
    setup.install_servers(log)
    assert {path.name for path in servers.rglob("*.jar")} == {"kafka-4.4.2.jar"}


def test_a_machine_that_the_servers_are_not_made_for_is_refused(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup.platform, "machine", lambda: "aarch64")
    with pytest.raises(setup.SetupError, match="x86_64, and this machine is aarch64"):
        setup.check_machine()


def test_a_file_that_may_not_be_written_is_told_with_its_owner(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    log = tmp_path / "there" / "build.log"

    def refuse(_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(log))

    monkeypatch.setattr(setup, "HOME", tmp_path)
    monkeypatch.setattr(setup, "STEPS", {"build": setup.Step("build", "build", [], refuse)})
    monkeypatch.setattr(sys, "argv", ["setup.py", "build"])
    assert setup.main() == 1
    owner = log.parent.owner()
    assert f"setup: {log}: Permission denied. {log.parent} belongs to {owner}: run this as" in capsys.readouterr().err


def test_maven_is_told_the_proxies_of_the_environment(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "proxy.example")
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.example:3128/")
    monkeypatch.setenv("no_proxy", "localhost, .corp.example")
    assert setup.maven_options(setup.proxies()) == [
        "-Dhttp.proxyHost=proxy.example",
        "-Dhttp.proxyPort=80",
        "-Dhttps.proxyHost=proxy.example",
        "-Dhttps.proxyPort=3128",
        "-Dhttp.nonProxyHosts=localhost|*.localhost|corp.example|*.corp.example",
    ]
    assert setup.maven_options({}) == []


def test_sudo_keeps_the_proxies_and_the_log_keeps_no_password(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.example:3128")
    sudo = tmp_path / "bin" / "sudo"
    sudo.parent.mkdir()
    sudo.write_text(f'#!/bin/sh\nshift\nexec env -i PATH="{sudo.parent}:/usr/bin:/bin" "$@"\n')
    (sudo.parent / "apt-get").write_text(f"#!/bin/sh\necho $https_proxy >{tmp_path}/asked_by\n")
    for program in sudo.parent.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sudo.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(setup, "missing_packages", lambda: ["g++"])
    log = setup.Log(setup.STEPS["packages"])
    setup.install_packages(log)
    assert (tmp_path / "asked_by").read_text() == "http://user:secret@proxy.example:3128\n"
    assert "https_proxy=http://…@proxy.example:3128" in log.path.read_text()
    assert "secret" not in log.path.read_text()


def test_ctrl_c_waits_for_a_command_that_runs_as_root(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = subprocess.Popen.wait
    ended: list[int] = []

    def interrupted(child: "subprocess.Popen[bytes]", timeout: float | None = None) -> int:
        if timeout is not None:
            raise KeyboardInterrupt
        ended.append(wait(child))
        return ended[0]

    def refuse(_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    monkeypatch.setattr(subprocess.Popen, "terminate", refuse)
    with pytest.raises(KeyboardInterrupt):
        setup.Log(setup.STEPS["packages"]).call("sleep", "0.5")
    assert ended == [0]


def test_letters_that_the_locale_lacks_end_no_set_up(tmp_path: Path) -> None:
    script = PROJECT / "scripts" / "setup.py"
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    code = (
        f"import pathlib, runpy, sys; place = pathlib.Path({str(tmp_path)!r}); sys.argv = ['setup', 'x']\n"
        f"main = runpy.run_path({str(script)!r})['main']; its = main.__globals__\n"
        "its.update(HOME=place, STAMPS=place / 'stamps', LOGS=place / 'logs')\n"
        "its['STEPS'] = {'x': its['Step']('x', 'C++ kernel', [], lambda log: None)}; sys.exit(main())"
    )
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert b"setup: C++ kernel ?" in ended.stdout
