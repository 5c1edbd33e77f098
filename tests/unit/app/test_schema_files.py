"""A folder of schemas is read whole, and what is no schema of ours is named before anything begins."""

import re
import shutil
from pathlib import Path

import pytest

from app.schema_files import SchemasUnfit, schema_files
from app.settings import PROJECT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROJECT / "schemas", tmp_path / "schemas"))


def test_schemas_are_read_with_their_names(folder: Path) -> None:
    names = {file.file_name: file.schema.name for file in schema_files(folder)}
    assert names["trade.avsc"] == "livetape.Trade"
    assert names["bar.avsc"] == "livetape.Bar"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{,}", "no Avro schema: JSONDecodeError"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff"),
        (b'{"type": "record"}', "no Avro schema: "),
        (b'"long"', "no record livetape.Trade"),
        (b'{"type": "enum", "name": "livetape.Trade", "symbols": ["a"]}', "no record livetape.Trade"),
        (b'{"type": "record", "name": "Trade", "namespace": "tape", "fields": []}', "no record livetape.Trade"),
    ],
)
def test_a_file_that_has_not_the_record_of_its_name_is_named(folder: Path, content: bytes, said: str) -> None:
    file = folder / "trade.avsc"
    file.write_bytes(content)
    with pytest.raises(SchemasUnfit, match=f"^{re.escape(f'{file}: {said}')}.*Mend it, or set LIVETAPE_SCHEMAS_DIR"):
        schema_files(folder)


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "trade.avsc").unlink()
    (folder / "trade.avsc").mkdir()
    with pytest.raises(SchemasUnfit, match=r"trade\.avsc: .*Is a directory"):
        schema_files(folder)


def test_a_user_s_own_schema_beside_ours_may_have_any_name(folder: Path) -> None:
    (folder / "mine.avsc").write_text('{"type": "record", "name": "Mine", "namespace": "desk", "fields": []}')
    assert "desk.Mine" in {file.schema.name for file in schema_files(folder)}
