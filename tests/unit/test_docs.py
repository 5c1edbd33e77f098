"""What the docs name is there, and every setting is told."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from agents.fold.flush import transactional_id as fold_id
from agents.join.recovery import transactional_id as join_id
from agents.quote_join import build_join
from agents.reconcile import build_reconcile
from agents.sql_sink import build_sink
from agents.worker import build_worker
from app.settings import PROJECT, Settings
from cli.main import app as livetape
from local import postgres_roles

README = (PROJECT / "README.md").read_text()
MAKE_TARGETS = sorted(set(re.findall(r"(?:`|^|[0-9] )make ([a-z-]+)", README, re.MULTILINE)))
COMMANDS = sorted(set(re.findall(r"`livetape ([a-z]+(?: [a-z]+)?)`", README)))


@pytest.mark.parametrize("target", MAKE_TARGETS)
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    planned = subprocess.run(["make", "--dry-run", target], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_exists(command: str) -> None:
    told = CliRunner().invoke(livetape, [*command.split(), "--help"])
    assert told.exit_code == 0, told.output


def test_the_readme_names_commands_at_all() -> None:
    assert {"demo", "test", "help"} <= set(MAKE_TARGETS)
    assert {"up", "demo", "bridge", "topics apply"} <= set(COMMANDS)


def test_compose_runs_every_part_but_the_relay() -> None:
    services = yaml.safe_load((PROJECT / "docker" / "compose.yaml").read_text())["services"]
    commands = {" ".join(service["command"]) for service in services.values() if "command" in service}
    assert commands == {"topics apply", "bridge", "worker", "join", "sink", "reconcile", "serve"}


PAGES = [page.read_text() for page in (PROJECT / "README.md", *PROJECT.glob("docs/*.md")) if page.name != "bench.md"]
SOURCES = "".join(
    path.read_text()
    for pattern in ("bridge/**/*.[ch]pp", "agents/**/*.py", "app/**/*.py", "cli/**/*.py")
    for path in PROJECT.glob(pattern)
)


def test_every_metric_that_is_told_exists() -> None:
    told = {name for page in PAGES for name in re.findall(r"\blivetape_[a-z_]*[a-z]\b", page)}
    told.remove(postgres_roles.SUPERUSER)
    assert len(told) > 20
    assert [name for name in sorted(told) if name.removesuffix("_total") not in SOURCES] == []


def test_every_setting_that_is_told_exists() -> None:
    told = {name for page in PAGES for name in re.findall(r"\bLIVETAPE_[A-Z_]*[A-Z]\b", page)}
    assert len(told) > 10
    assert [name for name in sorted(told) if name.removeprefix("LIVETAPE_").lower() not in Settings.model_fields] == []


def test_acls_are_told_by_the_names_that_workers_have() -> None:
    told = set(re.findall(r"`(live[.-][a-z-]+)`", (PROJECT / "docs" / "operating.md").read_text()))
    settings = Settings(namespace="live")
    groups = {build(settings).conf.id for build in (build_worker, build_join, build_sink, build_reconcile)}
    ids = {of_part(settings, 0).removesuffix("0") for of_part in (fold_id, join_id)}
    assert told == groups | ids


def without_code(text: str) -> str:
    """A document's prose: lambdas of C++ look like links."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


LINKS = [
    (document.relative_to(PROJECT), link)
    for document in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("docker/*.md"))
    for link in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", without_code(document.read_text()))
]


@pytest.mark.parametrize(("document", "link"), LINKS, ids=str)
def test_every_file_that_a_document_links_is_there(document: Path, link: str) -> None:
    assert (PROJECT / document.parent / link).exists()


def test_the_life_of_a_trade_names_its_files() -> None:
    life = [link for document, link in LINKS if document.name == "ARCHITECTURE.md"]
    assert {"agents/worker.py", "agents/kernel/partition_fold.cpp", "bridge/publish/kafka_publisher.cpp"} <= set(life)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is(name: str) -> None:
    assert Settings.model_fields[name].description
