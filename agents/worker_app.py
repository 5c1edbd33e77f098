"""What the apps of our workers have alike."""

from collections.abc import Callable
from functools import cache
from math import inf
from typing import Any, Final

from agents.transport import BatchApp, app_connection
from app.settings import Settings

FETCH_BYTES: Final = 1024 * 1024
"""Of one partition. What was fetched is kept in memory beside what is taken: of a log that is ahead of the join's other
one, of a database that does not keep up."""
BUFFERED_RECORD_SETS: Final = 4
NEVER_S: Final = 365 * 86_400.0
"""How long a worker may fetch nothing. After that aiokafka would leave the group until the next fetch, which then never
comes: a spare worker has nothing to fetch, one that waits for Postgres no room. Heartbeats, which the loop that does
the work sends, tell whether it lives."""
REQUEST_S: Final = 90.0
"""How long a broker may take to answer, which is Faust's own. It may not be shorter than a session."""
SLACK_S: Final = 10.0


def worker_app(
    settings: Settings,
    name: str,
    *,
    fetch_bytes: int = FETCH_BYTES,
    record_sets: int = BUFFERED_RECORD_SETS,
    most_heartbeat_s: float = inf,
    **options: Any,  # noqa: ANN401 - Faust's own
) -> BatchApp:
    """The app of the group `name`, whose state is its own matter and whose topics `livetape topics apply` makes.

    A partition's fetch has `fetch_bytes` at most, and the stream of a batch topic room for `record_sets`. Heartbeats
    come four times a session, and each `most_heartbeat_s` at the latest. It connects when it is started, not before.
    """
    session_s = settings.session_timeout_ms / 1_000
    return BatchApp(
        f"{settings.namespace}.{name}",
        **app_connection(settings),
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        consumer_max_fetch_size=fetch_bytes,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=session_s,
        broker_request_timeout=max(REQUEST_S, session_s + SLACK_S),
        broker_heartbeat_interval=min(session_s / 4, most_heartbeat_s),
        broker_max_poll_interval=NEVER_S,
        record_sets=record_sets,
        **options,
    )


def app_when_asked(build: Callable[[Settings], BatchApp]) -> Callable[[str], BatchApp]:
    """A module's `__getattr__`: its `app` is made when somebody asks for it. Faust does, an import does not."""

    @cache
    def app() -> BatchApp:
        return build(Settings())

    def getattr_of_module(name: str) -> BatchApp:
        if name != "app":
            raise AttributeError(name)
        return app()

    return getattr_of_module
