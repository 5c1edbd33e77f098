"""`make bench-itch`: what an ITCH message costs, and a packet on its way from our hands to ZeroMQ and to a subscriber.

Both in C++ (bench/itch.cpp, bench/packet_publish.cpp), with the bridge's own classes; times are read off the steady
clock (`clock_gettime`, in user space where the kernel's clock source is the processor's counter). The floor is one
`zmq_send` of as many bytes at the same pace in the same run, in turn. Decoding has a peer: Juncture, a library of the
JVM, on the same messages, whose fields must add up to the same. `load_before` is the machine's load before all that:
beside other work the tails say nothing. The last line is one JSON object.
"""

import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from app.settings import PROJECT
from local.java import java

BUILD: Final = PROJECT / "build" / "bridge" / "release"
PROGRAMS: Final = ("itch-bench", "packet-publish-bench")
JUNCTURE: Final = ":".join(str(PROJECT / "bench" / "juncture" / "target" / jars) for jars in ("*", "lib/*"))
PACES: Final = (1_000, 10_000, 100_000)
"""Messages a second; the last one's figures are the result's."""


def run(*command: str | Path) -> dict[str, Any]:
    """A benchmark's own figures."""
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
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
    decoding = measure_decoding()
    for pace in PACES:
        publishing = run(BUILD / "packet-publish-bench", str(pace))
        print(json.dumps(publishing))
    return decoding | publishing


def measure_decoding() -> dict[str, Any]:
    """What a message costs us, with and without the book, and Juncture. RuntimeError if the two read other fields."""
    subprocess.run(["mvn", "-q", "-B", "package", "--projects", "juncture"], cwd=PROJECT / "bench", check=True)
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        stream = Path(folder) / "messages"
        ours = run(BUILD / "itch-bench", stream)
        juncture = run(java(), "-cp", JUNCTURE, "livetape.bench.JunctureDecode", stream)
    print(json.dumps(ours))
    if juncture["checksum"] != ours["checksum"]:
        raise RuntimeError(f"Juncture's fields add up to {juncture['checksum']}, ours to {ours['checksum']}")
    return {name: ours[name] for name in ("itch_book_ns", "itch_decode_ns")} | {"juncture_decode_ns": juncture["ns"]}


def machine() -> dict[str, Any]:
    """On what, by which clock, and how busy it was before."""
    return {"cpu": processor(), "clock": clock(), "load_before": os.getloadavg()[0]}


def main() -> None:
    """Print all as one object."""
    before = machine()
    print(json.dumps(before | measure()))


if __name__ == "__main__":
    main()
