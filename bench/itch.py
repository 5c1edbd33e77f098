"""`make bench-itch`: what an ITCH message costs, and a packet on its way from our hands to ZeroMQ and to a subscriber.

Both in C++ (bench/itch.cpp, bench/packet_publish.cpp), with the bridge's own classes; times are read off the steady
clock (`clock_gettime`, in user space where the kernel's clock source is the processor's counter). The floor is one
`zmq_send` of as many bytes at the same pace in the same run, in turn. `load_before` is the machine's load before that:
beside other work the tails say nothing. The last line is one JSON object.
"""

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Final

from app.settings import PROJECT

BUILD: Final = PROJECT / "build" / "bridge" / "release"
PROGRAMS: Final = ("itch-bench", "packet-publish-bench")
PACES: Final = (1_000, 10_000, 100_000)
"""Messages a second; the last one's figures are the result's."""


def run(program: str, *arguments: str) -> dict[str, Any]:
    """A benchmark's own figures."""
    ran = subprocess.run([BUILD / program, *arguments], check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(ran.stdout)
    return figures


def processor() -> str:
    """The CPU's name, and how many cores there are."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0] if names else platform.machine()}"


def clock() -> str:
    """What the kernel's clock is read off."""
    return Path("/sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip()


def measure() -> dict[str, Any]:
    """Build, measure, and print what each pace had; the figures of the last one with those of the messages."""
    build = ["cmake", "--build", "--preset", "release", "--target", *PROGRAMS]
    subprocess.run(build, cwd=PROJECT / "bridge", check=True, stdout=subprocess.DEVNULL)
    decoding = run("itch-bench")
    print(json.dumps(decoding))
    for pace in PACES:
        publishing = run("packet-publish-bench", str(pace))
        print(json.dumps(publishing))
    return {name: decoding[name] for name in ("itch_book_ns", "itch_decode_ns")} | publishing


def machine() -> dict[str, Any]:
    """On what, by which clock, and how busy it was before."""
    return {"cpu": processor(), "clock": clock(), "load_before": os.getloadavg()[0]}


def main() -> None:
    """Print all as one object."""
    before = machine()
    print(json.dumps(before | measure()))


if __name__ == "__main__":
    main()
