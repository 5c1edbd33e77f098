"""The commands and the setting of docs/packets.md, run as they stand there but for the ports."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import PROJECT, Settings
from app.sources import PacketFeed
from local import ports
from replay.ledger import read_tape
from tests.integration.packet_kit import READ_S, VENUE, config_file, read_feed

BLOCKS = re.findall(r"```\n(.*?)```", (PROJECT / "docs" / "packets.md").read_text(), re.DOTALL)
DEVICES = re.findall(r"\| `(--[^`]+)` \|", (PROJECT / "docs" / "packets.md").read_text())


def on_free_ports(*texts: str) -> list[str]:
    """Commands and settings of the docs at ports that nobody else has: others run them at the same time."""
    lines, rerequest = map(str, ports.free_ports(2))
    return [text.replace(":26400", f":{lines}").replace(":26402", f":{rerequest}") for text in texts]


def settings_of(block: str) -> Settings:
    """What a block of the docs exports, read as every part reads it."""
    exports = dict(word.split("=", 1) for word in shlex.split(block) if word != "export")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in exports.items():
            environment.setenv(name, value)
        return Settings()


def feed_of(block: str) -> PacketFeed:
    """The feed that a block of the docs sets."""
    return settings_of(block).packet_feeds[VENUE]


def test_the_simulated_feed_is_read_by_the_setting(tmp_path: Path) -> None:
    typed, setting = on_free_ports(*BLOCKS)
    command = [*shlex.split(typed.replace("\\\n", " ")), "--messages", "3000"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (tmp_path / "log").open("wb") as log:
        feed = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PATH": path}, stdout=log, stderr=log)
    try:
        records, said = read_feed(config_file(tmp_path, feed_of(setting)))
    finally:
        feed.send_signal(signal.SIGTERM)
        feed.wait(READ_S)
    assert len(records) == len(read_tape(tmp_path / "feed.jsonl"))
    for metric in re.findall(r"`(livetape_bridge_[a-z_]+)`", (PROJECT / "docs" / "packets.md").read_text()):
        assert f"\n# TYPE {metric} " in said


def test_the_simulated_feed_is_kept_apart_from_real_trades() -> None:
    settings = settings_of(BLOCKS[1])
    assert settings.namespace == "simulated"
    assert settings.venues == {}


@pytest.mark.parametrize("arguments", DEVICES)
def test_every_example_of_dpdk_is_a_setting(arguments: str) -> None:
    assert feed_of(BLOCKS[1]).model_copy(update={"dpdk": arguments}).dpdk == arguments


def test_the_docs_have_examples() -> None:
    assert len(BLOCKS) == 2
    assert len(DEVICES) == 3
