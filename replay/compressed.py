"""Files of recordings, compressed by gzip or not, which are read as far as they are whole."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Final

_GZIP: Final = b"\x1f\x8b"
_BAD_END: Final = (EOFError, zlib.error, gzip.BadGzipFile)
"""What who was killed leaves: a file without its end, or with a bad one."""


class BadRecording(Exception):
    """The file is missing or is no recording; the message says which and why."""


@contextmanager
def opened(path: Path) -> Iterator[BufferedIOBase]:
    """The file's content, whatever its name says.

    Raises:
        BadRecording: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            if not file.peek(len(_GZIP)).startswith(_GZIP):
                yield file
                return
            with gzip.open(file) as unpacked:
                yield unpacked
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error}") from error


def read(file: BufferedIOBase, count: int) -> bytes:
    """So many bytes, or what there is of them."""
    try:
        return file.read(count)
    except _BAD_END:
        return b""


def read_lines(file: BufferedIOBase) -> Iterator[bytes]:
    """The lines without their ends, each as soon as it is asked for; half a line at the end is none."""
    try:
        while (line := file.readline()).endswith(b"\n"):
            yield line[:-1]
    except _BAD_END:
        return
