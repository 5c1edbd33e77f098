"""What an app does with its batch topics beside ordinary ones."""

import asyncio
from typing import Any

import pytest
from faust.exceptions import ImproperlyConfigured

from agents.transport import BatchApp

GUARD_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""


def test_no_agent_can_have_one_event_a_record_of_a_topic_that_is_read_in_batches() -> None:
    app = BatchApp("test")
    app.batch_topic("trades")
    with pytest.raises(ImproperlyConfigured, match="trades: this app reads it as whole record batches"):
        app.topic("orders", "trades")
    assert list(app.topic("orders").topics) == ["orders"]


def test_a_stream_of_record_sets_has_the_room_that_the_app_gives_it_and_any_other_what_faust_does() -> None:
    app = BatchApp("test", record_sets=3)
    record_sets, orders = app.batch_topic("trades"), app.topic("orders")
    assert [topic.clone().queue.maxsize for topic in (record_sets, orders)] == [3, 4_096]


class Ending(Exception):
    """What a worker is ended by."""


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> BatchApp:
    """An app that has begun with nothing, and tells what would end its worker."""
    made = BatchApp("test")

    async def crash(error: BaseException) -> None:
        raise Ending from error

    monkeypatch.setattr(made, "crash", crash)
    return made


async def started(app: BatchApp) -> list[asyncio.Future[None]]:
    """What runs once the app has started its tasks and timers."""
    await app.on_started_init_extra_tasks()
    return list(app._futures)


async def three_calls(app: BatchApp, calls: asyncio.Queue[None]) -> None:
    """Start the app's timer, and stop it once it has been called three times."""
    (running,) = await started(app)
    three: asyncio.Future[Any] = asyncio.gather(*(calls.get() for _ in range(3)))
    async with asyncio.timeout(GUARD_S):
        await asyncio.wait({running, three}, return_when=asyncio.FIRST_COMPLETED)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running)


@pytest.mark.parametrize("kind", ["timer", "crontab"])
async def test_a_timer_that_fails_is_told_and_called_again(
    app: BatchApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("faust.app.base.cron.secs_for_next", lambda *_: 0)
    calls: asyncio.Queue[None] = asyncio.Queue()

    @(app.timer(0.001) if kind == "timer" else app.crontab("* * * * *"))
    async def ask_the_page() -> None:
        calls.put_nowait(None)
        raise ValueError("no answer")

    await three_calls(app, calls)
    told = caplog.records[0]
    assert (told.levelname, "ask_the_page failed" in told.message) == ("ERROR", True)
    assert told.exc_info is not None
    assert str(told.exc_info[1]) == "no answer"


@pytest.mark.parametrize(
    ("expression", "why"), [("61 * * * *", "out of range"), ("* * * *", "columns"), ("0 0 30 2 *", "next date")]
)
def test_a_crontab_that_never_comes_is_refused_where_it_is_written(expression: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        BatchApp("test").crontab(expression)


async def test_a_timer_that_waits_for_what_somebody_cancels_is_told_and_called_again(
    app: BatchApp, caplog: pytest.LogCaptureFixture
) -> None:
    cancelled = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    calls: asyncio.Queue[None] = asyncio.Queue()

    @app.timer(0.001)
    async def ask_the_page() -> None:
        calls.put_nowait(None)
        await cancelled

    await three_calls(app, calls)
    assert "ask_the_page failed" in caplog.messages[0]


async def test_a_timer_that_is_stopped_within_a_call_ends_untold(
    app: BatchApp, caplog: pytest.LogCaptureFixture
) -> None:
    called = asyncio.Event()

    @app.timer(0.001)
    async def ask_the_page() -> None:
        called.set()
        await asyncio.get_running_loop().create_future()

    (running,) = await started(app)
    async with asyncio.timeout(GUARD_S):
        await called.wait()
        running.cancel()
        await asyncio.gather(running)
    assert not caplog.records


@pytest.mark.parametrize("with_parens", [False, True])
async def test_a_task_that_fails_is_told_and_ends_alone(
    app: BatchApp, caplog: pytest.LogCaptureFixture, *, with_parens: bool
) -> None:
    given: list[BatchApp] = []

    async def load_names(given_app: BatchApp) -> None:
        given.append(given_app)
        raise ValueError("no such file")

    app.task()(load_names) if with_parens else app.task(load_names)
    async with asyncio.timeout(GUARD_S):
        await asyncio.gather(*await started(app))
    assert given == [app]
    (told,) = caplog.records
    assert "load_names failed" in told.message


async def test_an_error_of_the_apps_own_work_ends_the_worker(app: BatchApp) -> None:
    async def fold() -> None:
        raise ValueError("a record that was folded by half")

    with pytest.raises(Ending):
        await app.add_future(fold())
