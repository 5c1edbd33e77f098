"""Views of users' own tables: the newest value of the keys that changed last, and who wants to hear of changes.

Keys and values are the JSON texts of the table's changelog, as they are: no number in them passes through a float.
Only the event loop's thread touches them, so that a snapshot and a subscription are one step.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from app.bars import encode
from app.catalogue import Code, RequestRefused
from app.topics import Cleanup, Topic

CHANNEL: Final = "table"
MAX_ROWS: Final = 10_000
"""Bound of a view's memory: past it the key that has not changed for longest is left out, and counted. The newest must
be shown, since Faust drops windows that are over without telling the changelog. While the changelog is loaded, the
order of several partitions is that in which they are read."""
MAX_LEFT_OUT: Final = 100_000
"""So many of those are told from each other; more are not counted."""
_CHANGELOG: Final = re.compile(r"[a-z]+-(.+)-changelog")


class Change(NamedTuple):
    """One record of a changelog: JSON texts; without a value the key is deleted."""

    table: str
    key: str
    value: str | None


class TableListener(Protocol):
    """Who hears of every change of a table."""

    def row_changed(self, table: str, key: str, message: str) -> None:
        """Take one update, already encoded; must not wait."""


class TableView:
    """The rows of one table."""

    def __init__(self, name: str, max_rows: int = MAX_ROWS, max_left_out: int = MAX_LEFT_OUT) -> None:
        self.is_ready = False
        """Whether the changelog was read to where it ended when the API began."""
        self.listeners: set[TableListener] = set()
        self._name = name
        self._max_rows = max_rows
        self._max_left_out = max_left_out
        self._left_out: set[int] = set()  # hashes of the keys
        self._rows: OrderedDict[str, str] = OrderedDict()  # by their last change, the oldest first
        self._head = f'"channel":"{CHANNEL}","table":{encode(name)}'

    def apply(self, key: str, value: str | None) -> None:
        """Take a change and tell the listeners."""
        self._left_out.discard(hash(key))
        was_shown = self._rows.pop(key, None) is not None
        if value is not None:
            if len(self._rows) >= self._max_rows:
                self._leave_out_oldest()
            self._rows[key] = value
            self._tell(key, _row(key, value))
        elif was_shown:
            self._tell(key, _deleted(key))

    def _leave_out_oldest(self) -> None:
        key, _ = self._rows.popitem(last=False)
        if len(self._left_out) < self._max_left_out:
            self._left_out.add(hash(key))
        self._tell(key, _deleted(key))

    def snapshot(self) -> str:
        """The snapshot message: every row."""
        rows = ",".join(_row(key, value) for key, value in self._rows.items())
        return f'{{"type":"snapshot",{self._head},"left_out":{len(self._left_out)},"rows":[{rows}]}}'

    def _tell(self, key: str, row: str) -> None:
        message = f'{{"type":"update",{self._head},"row":{row}}}'
        for listener in self.listeners:
            listener.row_changed(self._name, key, message)


class TableViews:
    """Every table that `topics.yaml` shows by `view: true`, by the name that its user gave it."""

    def __init__(self, topics: Mapping[str, Topic]) -> None:
        shown = [name for name, topic in topics.items() if topic.view and topic.cleanup is Cleanup.COMPACT]
        self.tables_of_topics = {name: table_name(name) for name in shown}
        """Name of the table by its changelog's, without namespace."""
        self._views = {name: TableView(name) for name in self.tables_of_topics.values()}

    def apply(self, changes: Iterable[Change]) -> None:
        """Take changes in their log's order."""
        for change in changes:
            self._views[change.table].apply(change.key, change.value)

    def ready(self, table: str) -> None:
        """Say that a table's changelog was read to its end."""
        self._views[table].is_ready = True

    def subscribe(self, table: str, listener: TableListener) -> str:
        """Begin to tell a listener of a table's changes; the snapshot message that they follow on.

        Raises:
            RequestRefused: there is no such table, or it is still being read.
        """
        view = self._views.get(table)
        if view is None:
            known = ", ".join(self._views) or "none: topics.yaml shows no changelog by `view: true`"
            raise RequestRefused(Code.UNKNOWN_TABLE, f"{table!r} is no table that is shown; these are {known}")
        if not view.is_ready:
            raise RequestRefused(Code.NOT_READY, f"the changelog of {table!r} is still being read: ask again")
        view.listeners.add(listener)
        return view.snapshot()

    def unsubscribe(self, table: str, listener: TableListener) -> None:
        """Stop telling the listener of this table."""
        if table in self._views:
            self._views[table].listeners.discard(listener)


def table_name(changelog: str) -> str:
    """The table of a changelog that Faust names app-table-changelog; of any other topic its own name."""
    found = _CHANGELOG.fullmatch(changelog)
    return changelog if found is None else found[1]


def _row(key: str, value: str) -> str:
    return f'{{"key":{key},"value":{value}}}'


def _deleted(key: str) -> str:
    return f'{{"key":{key},"deleted":true}}'
