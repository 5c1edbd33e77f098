"""What a frame of Binance costs the bridge on its way to a trade and to its Avro record, without network and brokers.

Measured on 2 cores shared with other work, fastest of 15 rounds over 9,757 real frames: 406 ns to decode one, 455 ns
with its record of 110 bytes written. simdjson's vector code (x86-64-v2 and -v3) was no faster on frames of 170 bytes.

Real trade frames where ../shared/recordings is there, else those of the seeded market. The last line is JSON.
"""

import gzip
import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.settings import PROJECT
from replay.binance import BinanceProtocol
from replay.market import MarketSpec, trades

RECORDING: Final = PROJECT.parent / "shared" / "recordings" / "binance" / "spot-btcusdt-20240808.frames.gz"
INSTRUMENT: Final = "BTC-USDT"
PAIR: Final = f"{INSTRUMENT}=BTCUSDT"
"""The instrument, and how the venue calls it."""
FRAMES: Final = 10_000
PROGRAMS: Final = PROJECT / "build" / "bridge" / "release"


def recorded() -> Iterator[str]:
    """The recording's trade frames."""
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        for line in lines:
            if '"stream":"btcusdt@trade"' in line:
                yield line.rstrip("\n").partition(" ")[2]


def simulated() -> Iterator[str]:
    """Trade frames of a seeded market."""
    spec = MarketSpec([INSTRUMENT], rate=1_000, seed=1)
    yield from map(BinanceProtocol([INSTRUMENT]).encode, itertools.islice(trades(spec, 1_700_000_000 * 10**9), FRAMES))


def frames() -> Iterator[str]:
    """Real ones where there are any, else simulated ones."""
    return recorded() if RECORDING.exists() else simulated()


def build(name: str) -> Path:
    """A program of the benchmarks, built."""
    command = ["cmake", "--build", "--preset", "release", "--target", name]
    subprocess.run(command, cwd=PROJECT / "bridge", check=True, stdout=subprocess.DEVNULL)
    return PROGRAMS / name


def measure() -> dict[str, float | int | str | None]:
    """Build the C++ side, feed it, and give its figures."""
    program = build("bridge-frames-bench")
    print(f"frames of {RECORDING.name}" if RECORDING.exists() else "frames of the seeded market: no recordings here")
    command: list[str | Path] = [program, "binance", PAIR]
    done = subprocess.run(command, input="\n".join(frames()), text=True, check=True, stdout=subprocess.PIPE)
    figures: dict[str, float | int | str | None] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    print(json.dumps(measure()))
