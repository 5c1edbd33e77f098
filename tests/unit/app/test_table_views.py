"""The view of a user's table: snapshot and updates have the changelog's own text, within the bound."""

import json
from typing import Any

from app.table_views import Change, TableView, TableViews, table_name
from app.topics import Cleanup, Topic

DIGITS = "0.12345678901234567890123456789"


class Heard:
    """A listener that keeps what it was told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def row_changed(self, table: str, key: str, message: str) -> None:
        assert table == "sums"
        assert json.loads(message)["row"]["key"] == json.loads(key)
        self.messages.append(message)


def rows(view: TableView) -> list[dict[str, Any]]:
    snapshot: list[dict[str, Any]] = json.loads(view.snapshot())["rows"]
    return snapshot


def left_out(view: TableView) -> int:
    count: int = json.loads(view.snapshot())["left_out"]
    return count


def test_no_digit_is_lost() -> None:
    view, heard = TableView("sums"), Heard()
    view.listeners.add(heard)
    view.apply('"a"', f'{{"price":{DIGITS}}}')
    assert f'"rows":[{{"key":"a","value":{{"price":{DIGITS}}}}}]' in view.snapshot()
    assert f'"row":{{"key":"a","value":{{"price":{DIGITS}}}}}' in heard.messages[0]


def test_a_deleted_key_is_told_once_and_null_is_a_value() -> None:
    view, heard = TableView("sums"), Heard()
    view.listeners.add(heard)
    for value in ("null", None, None):
        view.apply('"a"', value)
    assert [json.loads(message)["row"] for message in heard.messages] == [
        {"key": "a", "value": None},
        {"key": "a", "deleted": True},
    ]
    assert rows(view) == []


def test_of_more_keys_than_the_bound_those_that_changed_last_are_shown() -> None:
    view = TableView("sums", max_rows=2)
    for key, value in (("1", "1"), ("2", "2"), ("1", "3"), ("3", "4")):
        view.apply(key, value)
    assert rows(view) == [{"key": 1, "value": 3}, {"key": 3, "value": 4}]
    assert left_out(view) == 1


def test_a_row_that_gives_way_is_told_as_deleted_before_the_one_that_comes() -> None:
    view, heard = TableView("sums", max_rows=1), Heard()
    view.listeners.add(heard)
    for key in ('"a"', '"b"', '"a"'):
        view.apply(key, "1")
    assert [json.loads(message)["row"] for message in heard.messages] == [
        {"key": "a", "value": 1},
        {"key": "a", "deleted": True},
        {"key": "b", "value": 1},
        {"key": "b", "deleted": True},
        {"key": "a", "value": 1},
    ]


def test_a_key_that_is_left_out_counts_once_until_it_is_deleted_or_changes() -> None:
    view = TableView("sums", max_rows=1)
    for key, value in (("1", "1"), ("2", "2"), ("3", "3"), ("2", "4"), ("3", "5")):
        view.apply(key, value)
    assert (rows(view), left_out(view)) == ([{"key": 3, "value": 5}], 2)
    view.apply("2", None)
    view.apply("3", None)
    assert (rows(view), left_out(view)) == ([], 1)
    view.apply("1", "6")
    assert (rows(view), left_out(view)) == ([{"key": 1, "value": 6}], 0)


def test_the_count_of_keys_that_are_left_out_is_bounded() -> None:
    view = TableView("sums", max_rows=1, max_left_out=2)
    for key in ("1", "2", "3", "4"):
        view.apply(key, "1")
    assert left_out(view) == 2


def test_a_client_is_told_nothing_after_it_left() -> None:
    shown = Topic(name="fold-sums-changelog", key="k", schemas=(), partitions=1, cleanup=Cleanup.COMPACT, view=True)
    views, heard = TableViews({shown.name: shown}), Heard()
    views.ready("sums")
    views.subscribe("sums", heard)
    views.apply([Change("sums", '"a"', "1")])
    views.unsubscribe("sums", heard)
    views.apply([Change("sums", '"a"', "2")])
    assert len(heard.messages) == 1


def test_a_table_has_the_name_that_its_user_gave_it() -> None:
    assert table_name("fold-best-customers-changelog") == "best-customers"
    assert table_name("best-customers") == "best-customers"
