"""Places at which a test can have the process killed, to prove that nothing is lost or doubled there.

`LIVETAPE_CRASH_AT=before-commit:3` kills the process at the third passing of the point `before-commit`.
"""

import os
import signal
from collections import Counter
from typing import Literal

from app.settings import CRASH_AT

CrashPoint = Literal["mid-flush", "before-commit", "after-commit", "during-recovery"]

_passed: Counter[str] = Counter()


def reach(point: CrashPoint) -> None:
    """Die here, as by `kill -9`, when the environment says so; else nothing."""
    wanted = os.environ.get(CRASH_AT)
    if wanted is None:
        return
    name, _, times = wanted.partition(":")
    if name == point:
        _passed[point] += 1
        if _passed[point] >= int(times or 1):
            os.kill(os.getpid(), signal.SIGKILL)
