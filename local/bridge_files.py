"""What bridges keep below a home, by namespace: messages that Kafka may not have, and how far each venue is read."""

import fcntl
import shutil
from pathlib import Path

from local.errors import BridgeRuns

SPOOL, POSITIONS = "spool", "positions"


def check_unused(home: Path) -> None:
    """Raise BridgeRuns while a bridge holds the lock of a venue's spool."""
    for lock in home.glob(f"{SPOOL}/*/*/lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BridgeRuns(lock.parent) from error


def remove(home: Path) -> None:
    """Remove them; no bridge may run.

    A market that begins anew would be taken for what its venue had sent before.
    """
    for folder in SPOOL, POSITIONS:
        shutil.rmtree(home / folder, ignore_errors=True)
