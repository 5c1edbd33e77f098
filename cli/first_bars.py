"""Waiting, when a run begins, for the first bars of its venues."""

import time

from app.http_client import client_of
from app.settings import Settings
from cli.arrivals import Arrivals
from cli.console import broken, done, step
from cli.run_parts import ANSWER_S, api_url
from cli.supervisor import POLL_S, Supervisor

FIRST_BAR_S = 180.0
OTHER_VENUES_S = 15.0
"""How long to wait for bars of all venues once there is one."""


def wait_for_bars(settings: Settings, supervisor: Supervisor) -> None:
    """Wait for a new bar, and a while for one of each venue: what cannot be reached, or rests, holds up no other."""
    if not settings.venues:
        return
    with client_of(api_url(settings), base_url=api_url(settings), timeout=ANSWER_S) as http:
        late = _venues_without_bars(settings, supervisor, Arrivals(http, settings.intervals[0]))
    for name in settings.venues:
        if name in late:
            broken(name, f"no bar came yet; {settings.logs_dir / 'bridge.log'} may say why")
        else:
            done(name, "has bars")


def _venues_without_bars(settings: Settings, supervisor: Supervisor, arrivals: Arrivals) -> set[str]:
    """The venues of which no new bar came, a while after the first of another, or after none came for long."""
    late = set(settings.venues)

    def has_traded(name: str) -> bool:
        return any(arrivals.look(name, instrument) for instrument in settings.venues[name].instruments)

    def has_come() -> bool:
        late.difference_update([name for name in late if has_traded(name)])
        return len(late) < len(settings.venues)

    bridge_log, worker_log = (settings.logs_dir / f"{part}.log" for part in ("bridge", "worker"))
    with supervisor.tolerating(), step("first bar"):
        supervisor.wait_until(has_come, FIRST_BAR_S, f"no bar came, and {bridge_log} may say why,", worker_log)
    deadline = time.monotonic() + OTHER_VENUES_S
    while late and time.monotonic() < deadline:
        supervisor.watch()
        time.sleep(POLL_S)
        has_come()
    return late
