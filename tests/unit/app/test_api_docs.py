"""docs/api.md says what the code does."""

import re

from app.catalogue import Code
from app.settings import PROJECT
from app.websocket.requests import Op, parse

PAGE = (PROJECT / "docs" / "api.md").read_text()


def test_every_error_code_is_described() -> None:
    table = PAGE[PAGE.index("## Codes") :]
    assert set(re.findall(r"`([a-z_]+)`", table)) == set(Code)


def test_every_request_that_is_shown_is_understood() -> None:
    (block,) = re.findall(r"```request\n(.*?)```", PAGE, re.DOTALL)
    assert {parse(line).op for line in block.splitlines()} == set(Op)
