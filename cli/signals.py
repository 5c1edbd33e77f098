"""What ends a run from outside."""

import signal
from typing import NoReturn


def interrupt_on_signals() -> None:
    """Let SIGTERM, a closed terminal, and Ctrl-C even where a script has it ignored, end a run in order.

    A terminal that is closed ends none that nohup started.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
