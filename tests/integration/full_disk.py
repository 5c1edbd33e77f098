"""A disk that is really full: a small tmpfs, which only the command that it is mounted for can see."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

_OWN_MOUNTS: Final = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
_MOUNT: Final = 'mount -t tmpfs -o size="$1" tmpfs "$2"'


def on_small_disk(folder: Path, kib: int) -> Sequence[str]:
    """What to put before a command, in whose place it comes; the folder is a disk of so many KiB for it."""
    script = f'{_MOUNT} && shift 2 && exec "$@"'
    return (*_OWN_MOUNTS, "sh", "-c", script, "sh", f"{kib}k", str(folder))


def on_small_disk_then_kept(folder: Path, kib: int, kept: Path) -> Sequence[str]:
    """The same, as a process before it, and what was written is copied to another folder when the command has ended."""
    script = f'{_MOUNT} && from=$2 to=$3 && shift 3 && {{ "$@"; code=$?; cp -r "$from/." "$to"; exit $code; }}'
    return (*_OWN_MOUNTS, "sh", "-c", script, "sh", f"{kib}k", str(folder), str(kept))


def need_small_disks(folder: Path) -> None:
    """Skip the test where nobody may mount one."""
    tried = subprocess.run([*on_small_disk(folder, 64), "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {tried.stderr.strip()}")
