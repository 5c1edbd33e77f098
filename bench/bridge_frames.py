"""What a frame of Binance costs the bridge on its way to a trade and to its Avro record, without network and brokers.

Measured on 2 cores shared with other work, fastest of 15 rounds over 9,757 real frames: 373 ns to decode one, 455 ns
with its record of 108 bytes written. simdjson's vector code (x86-64-v2 and -v3) was no faster on frames of 170 bytes.

Real trade frames where ../shared/recordings is there, else those of the seeded market. The last line is JSON.
"""

import gzip
import itertools
import subprocess
from collections.abc import Iterator
from typing import Final

from app.settings import PROJECT
from replay.binance import BinanceProtocol
from replay.market import MarketSpec, trades

RECORDING: Final = PROJECT.parent / "shared" / "recordings" / "binance" / "spot-btcusdt-20240808.frames.gz"
INSTRUMENT: Final = "BTC-USDT"
FRAMES: Final = 10_000
PROGRAM: Final = PROJECT / "build" / "bridge" / "release" / "bridge-frames-bench"


def recorded() -> Iterator[str]:
    """The recording's trade frames."""
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        for line in lines:
            if '"stream":"btcusdt@trade"' in line:
                yield line.rstrip("\n").partition(" ")[2]


def simulated() -> Iterator[str]:
    """Trade frames of a seeded market."""
    spec = MarketSpec([INSTRUMENT], rate=1_000, seed=1)
    yield from map(BinanceProtocol().encode, itertools.islice(trades(spec, 1_700_000_000 * 10**9), FRAMES))


def main() -> None:
    """Build the C++ side, feed it, print its figures."""
    build = ["cmake", "--build", "--preset", "release", "--target", PROGRAM.name]
    subprocess.run(build, cwd=PROJECT / "bridge", check=True, stdout=subprocess.DEVNULL)
    real = RECORDING.exists()
    print(f"frames of {RECORDING.name}" if real else "frames of the seeded market: no recordings here")
    frames = "\n".join(recorded() if real else simulated())
    subprocess.run([PROGRAM, "binance", INSTRUMENT], input=frames, text=True, check=True)


if __name__ == "__main__":
    main()
