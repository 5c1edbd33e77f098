"""What bridges keep below a home, by namespace: messages that Kafka may not have, and how far each venue is read."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from local import folders
from local.errors import BridgeRuns

SPOOL, POSITIONS = "spool", "positions"


@contextmanager
def unused(home: Path) -> Iterator[None]:
    """Keep bridges from the spools that are there meanwhile.

    Raises:
        BridgeRuns: one holds the lock of a venue's spool.
    """
    with ExitStack() as locks:
        for lock in home.glob(f"{SPOOL}/*/*/lock"):
            file = locks.enter_context(lock.open())
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BridgeRuns(lock.parent) from error
        yield


def remove(home: Path) -> None:
    """Remove them; no bridge may run.

    A market that begins anew would be taken for what its venue had sent before.
    """
    with ExitStack() as removed:  # either, though the other cannot be
        for folder in SPOOL, POSITIONS:
            removed.callback(folders.remove, home / folder)
