"""What is read of an ITCH file."""

import gzip
import zlib
from pathlib import Path

import pytest

from replay import itch
from replay.compressed import BadRecording
from replay.itch import message, read_file, symbol

DAY = [
    message("S", 0, 1, "c", b"O"),
    message("H", 1, 2, "8scc4s", symbol("AAPL"), b"T", b" ", b""),
    message("D", 1, 3, "Q", 7),
]


def content(*messages: bytes) -> bytes:
    """A file of these."""
    return b"".join(len(each).to_bytes(2) + each for each in messages)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a day is kept, by a name that does not say whether it is compressed."""
    return tmp_path / "01302020.NASDAQ_ITCH50"


def test_a_file_is_read_whether_it_is_compressed_or_not(file: Path) -> None:
    file.write_bytes(content(*DAY))
    assert read_file(file) == DAY
    file.write_bytes(gzip.compress(content(*DAY)))
    assert read_file(file) == DAY


def test_a_file_whose_lengths_are_0_is_walked_by_type(file: Path) -> None:
    file.write_bytes(b"".join(bytes(2) + each for each in DAY))
    assert read_file(file) == DAY


@pytest.mark.parametrize("cut", [1, 18, 19, 20, 21])
def test_a_message_that_a_file_ends_in_is_left_out(file: Path, cut: int) -> None:
    file.write_bytes(content(*DAY)[:-cut])
    assert read_file(file) == DAY[:2]


def test_a_compressed_file_without_its_end_is_read_as_far_as_it_is_whole(file: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    file.write_bytes(packer.compress(content(*DAY)) + packer.flush(zlib.Z_SYNC_FLUSH))
    assert read_file(file) == DAY


def test_a_compressed_file_with_a_bad_end_is_read_as_far_as_it_is_whole(file: Path) -> None:
    file.write_bytes(gzip.compress(content(*DAY))[:-8] + bytes(8))
    assert read_file(file) == DAY


def test_what_is_no_message_is_named_with_its_place(file: Path) -> None:
    file.write_bytes(content(*DAY, b"?"))
    with pytest.raises(BadRecording, match=r"no message of ITCH 5\.0 begins with b'\?', at byte 64"):
        read_file(file)


def test_more_than_memory_may_hold_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(content(*DAY))
    size = sum(map(len, DAY))
    monkeypatch.setattr(itch, "MOST_BYTES", size)
    assert read_file(file) == DAY
    monkeypatch.setattr(itch, "MOST_BYTES", size - 1)
    with pytest.raises(BadRecording, match="of messages: play its beginning"):
        read_file(file)


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    with pytest.raises(BadRecording, match=f"{file} cannot be read: "):
        read_file(file)
