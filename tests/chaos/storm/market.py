"""One market from its first trade to its close, in its own namespace: storms, and calms in which bars are compared."""

import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx

from app.topic_admin import apply
from tests.chaos.sink_kit import log_ends, stored
from tests.chaos.storm import checks
from tests.chaos.storm.checks import Ledger
from tests.chaos.storm.crew import Crew
from tests.chaos.storm.place import Place
from tests.chaos.storm.schedule import BRIDGE, VIEW, Fault
from tests.chaos.storm.storm import Storm
from tests.chaos.storm.tally import Tally
from tests.chaos.storm.upstream import Upstream
from tests.integration.fold_kit import Group
from tests.integration.sql_kit import Database

PATIENCE_S: Final = 120.0
"""For all parts to come back and to catch up, once nothing goes wrong any more."""
VIEW_PATIENCE_S: Final = 20.0
SHOWN_DIFFERENCES: Final = 20


class Broken(Exception):
    """A place differs from the recomputation, or something did not come back; the message says which and what."""


class Market:
    """Everything of one namespace."""

    def __init__(self, place: Place, seed: int, tally: Tally) -> None:
        self._settings = place.settings
        self._tally = tally
        apply(self._settings)
        self._upstream = Upstream(place.ways[BRIDGE].settings, seed)
        self._ledger = Ledger(self._settings, self._upstream.tape)
        self._database = Database(self._settings)
        self._crew = Crew(place, tally)
        self._storm = Storm(place, self._crew, self._upstream, tally)

    def weather(self, faults: list[Fault], seconds: float) -> None:
        """Let faults happen for some time, mend everything, and compare. Raises Broken."""
        began = time.monotonic()
        self._crew.be_whole()
        self._upstream.go_on()
        for fault in faults:
            self._crew.at(began + fault.at_s, self._injection(fault))
        while time.monotonic() < began + seconds:
            self._crew.live()
        self._upstream.pause()
        self._storm.mend_all()
        self._crew.be_whole()
        self._compare_all()

    def close(self) -> None:
        """Have a worker that starts from the changelog revise and close windows, and compare. Raises Broken."""
        self._crew.leave_one_worker()
        self._upstream.close_windows()
        self._compare_all()
        self._tally.checked.update(self._ledger.counts())

    def abandon(self) -> None:
        """End every part."""
        self._upstream.pause()
        self._crew.close()

    def _injection(self, fault: Fault) -> Callable[[], None]:
        return lambda: self._storm.inject(fault)

    def _compare_all(self) -> None:
        self._upstream.tape.flush()
        group = Group(self._settings)
        self._wait_until("the fold has flushed all", group.has_flushed_all)
        self._ledger.read_on()
        self._wait_until("all of it is in SQL", lambda: stored(self._database) == log_ends(self._settings))
        self._wait_until("the view is ready", self._is_view_ready)
        self._compare("topics", checks.check_topics(self._ledger))
        self._compare("changelog", checks.check_changelog(self._ledger))
        self._compare("SQL", checks.check_sql(self._ledger, self._database))
        self._compare_view()
        self._tally.comparisons += 1
        self._tally.say(f"all equal: {self._ledger.counts()}")

    def _wait_until(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise Broken(f"{PATIENCE_S:.0f} s without a fault, and not yet: {what}\n{self._crew.logs()}")
            self._crew.live()

    def _compare_view(self) -> None:
        """The view follows the topics a moment later."""
        deadline = time.monotonic() + VIEW_PATIENCE_S
        while any(True for _ in checks.check_view(self._ledger, self._view_url)) and time.monotonic() < deadline:
            self._crew.live()
        self._compare("view", checks.check_view(self._ledger, self._view_url))

    @staticmethod
    def _compare(where: str, differences: Iterator[str]) -> None:
        found = list(differences)
        if found:
            shown = "\n".join(found[:SHOWN_DIFFERENCES])
            raise Broken(f"{where}: {len(found)} differences\n{shown}")

    def _is_view_ready(self) -> bool:
        try:
            return bool(httpx.get(f"{self._view_url}/readyz", timeout=5).is_success)
        except httpx.HTTPError:
            return False

    @property
    def _view_url(self) -> str:
        return f"http://127.0.0.1:{self._crew.parts[VIEW].settings.api_port}"
