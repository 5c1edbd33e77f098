"""A namespace's sessions begin with the same bytes in Python and in C++, which bridge/tests/golden_test.cpp proves."""

import json

from app.settings import PROJECT
from app.tick_stream.sessions import mark_of_namespace

MARKS = json.loads((PROJECT / "tests" / "golden" / "namespace_marks.json").read_text())


def test_python_has_the_golden_marks() -> None:
    assert {name: mark_of_namespace(name).hex() for name in MARKS} == MARKS
