"""Removing what a command has made, so that what is left over is told."""

import shutil
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it; nothing happens when it is not there.

    Raises:
        OSError: it cannot be removed, as one with files of another user; the folder is named.
    """
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue  # a part of it went by itself
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(folder)) from error
