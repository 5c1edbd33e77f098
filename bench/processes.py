"""What a process has cost so far."""

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """User and system seconds of the process and of the children it has waited for (proc(5), `stat` fields 14 to 17)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in after_name[11:15]) / os.sysconf("SC_CLK_TCK")
