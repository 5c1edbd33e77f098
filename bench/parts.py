"""Parts of livetape as processes of their own, as a benchmark starts them."""

import os
import subprocess
import sys
from pathlib import Path

from app.settings import Settings
from cli.supervisor import Part
from local.process import Command


def supervised(settings: Settings, *arguments: str) -> Part:
    """`livetape ARGUMENTS` with these settings, for a supervisor to start."""
    command = Command([sys.executable, "-m", "cli", *arguments], settings.environment())
    return Part(arguments[0], command, settings.logs_dir / f"{arguments[0]}.log")


def started(settings: Settings, command: str, log: Path) -> "subprocess.Popen[bytes]":
    """`livetape COMMAND` with these settings, begun; what it prints is added to `log`. Whoever starts it ends it."""
    environment = os.environ | settings.environment()
    with log.open("ab") as output:
        return subprocess.Popen(["livetape", command], env=environment, stdout=output, stderr=output)
