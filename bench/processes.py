"""What a process costs while it does a piece of work."""

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall and seconds of CPU, user and system together."""

    wall_s: float
    cpu_s: float


class CostMeter:
    """Counts from its creation what one process spends."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._wall_s = time.monotonic()
        self._cpu_s = _cpu_seconds(pid)

    def read(self) -> Cost:
        """What was spent so far."""
        return Cost(time.monotonic() - self._wall_s, _cpu_seconds(self._pid) - self._cpu_s)


def _cpu_seconds(pid: int) -> float:
    """User and system seconds of the process and its waited-for children: proc(5), fields 14 to 17 of `stat`."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in after_name[11:15]) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Resident memory of one process: proc(5), field 2 of `statm`, in pages."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
