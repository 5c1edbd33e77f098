"""Which of `livetape demo` and `livetape live` are on: each holds the lock of the folder with its files."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings import Settings
from local.errors import LocalError, NotLocal
from local.server import Server
from local.stack import places


def demo_home(settings: Settings) -> Path:
    """Where a demo has its files, beside those of all else."""
    return settings.home / "demo"


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold a folder's lock, so that a second run does not take the first one's servers for left-overs."""
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalError(
                f"a run with its files in {home} is under way: stop it, or choose another folder with LIVETAPE_HOME"
            ) from error
        yield


def is_on(home: Path) -> bool:
    """Whether a run has its files in this folder now."""
    try:
        with _lock(home).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def servers_seen(settings: Settings) -> Iterator[Server | NotLocal]:
    """Each server of the settings, or the one that a demo has in its place; or that it is elsewhere."""
    of_demo = settings.model_copy(update={"home": demo_home(settings)})
    for own, other in zip(places(settings), places(of_demo), strict=True):
        has_demo = isinstance(own, Server) and own.running() is None
        yield other if has_demo and isinstance(other, Server) and other.running() is not None else own


def _lock(home: Path) -> Path:
    return home / "lock"
