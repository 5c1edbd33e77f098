"""What ends a run, and what does not."""

import signal
from collections.abc import Iterator

import pytest

from cli import demo


@pytest.fixture
def _handlers() -> Iterator[None]:
    """The handlers of this process, as they were."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
def test_a_closed_terminal_ends_a_run_unless_nohup_started_it() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    demo._stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    demo._stop_on_signals()
    signal.raise_signal(signal.SIGHUP)


@pytest.mark.usefixtures("_handlers")
def test_ctrl_c_ends_a_run_even_where_a_script_has_it_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    demo._stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
