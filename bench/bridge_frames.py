"""What a frame of Binance costs the bridge on its way to a trade and to its Avro record, without network and brokers.

Measured on 2 cores shared with other work, fastest of 15 rounds over 9,757 real frames: 406 ns to decode one, 455 ns
with its record of 110 bytes written. simdjson's vector code (x86-64-v2 and -v3) was no faster on frames of 170 bytes.

Real trade frames where ../shared/recordings is there, else those of the seeded market. Then the frames of every venue,
of one instrument and of 2,000 in turn, by the seeded market. The last line is JSON.
"""

import gzip
import itertools
import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from app.settings import PROJECT
from app.units import SECOND_NS
from replay.binance import BinanceProtocol
from replay.market import MarketSpec, trades
from replay.venues import VenueName, protocol_of

RECORDING: Final = PROJECT.parent / "shared" / "recordings" / "binance" / "spot-btcusdt-20240808.frames.gz"
INSTRUMENT: Final = "BTC-USDT"
PAIR: Final = f"{INSTRUMENT}=BTCUSDT"
"""The instrument, and how the venue calls it."""
FRAMES: Final = 10_000
MANY_INSTRUMENTS: Final = 2_000
START_NS: Final = 1_700_000_000 * SECOND_NS
Figures = dict[str, float | int | str | None]
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
    yield from map(BinanceProtocol([INSTRUMENT]).encode, itertools.islice(trades(spec, START_NS), FRAMES))


def frames() -> Iterator[str]:
    """Real ones where there are any, else simulated ones."""
    return recorded() if RECORDING.exists() else simulated()


def build(name: str) -> Path:
    """A program of the benchmarks, built."""
    command = ["cmake", "--build", "--preset", "release", "--target", name]
    subprocess.run(command, cwd=PROJECT / "bridge", check=True, stdout=subprocess.DEVNULL)
    return PROGRAMS / name


def measure() -> Figures:
    """Build the C++ side, feed it, and give its figures."""
    program = build("bridge-frames-bench")
    print(f"frames of {RECORDING.name}" if RECORDING.exists() else "frames of the seeded market: no recordings here")
    return _timed(program, "binance", [PAIR], frames())


def measure_instruments() -> Figures:
    """A frame's cost at every venue, of one instrument and of many, and the most that many cost as a ratio."""
    program = build("bridge-frames-bench")
    print(f"frames of each venue, 1 and {MANY_INSTRUMENTS:,} instruments", flush=True)
    figures: Figures = {}
    growth = 0.0
    for venue in VenueName:
        one, many = (_of_instruments(program, venue, count) for count in (1, MANY_INSTRUMENTS))
        figures |= {f"{venue}_ns_1": one, f"{venue}_ns_{MANY_INSTRUMENTS}": many}
        growth = max(growth, many / one)
    return figures | {"instruments_growth": round(growth, 2)}


def _of_instruments(program: Path, venue: VenueName, count: int) -> float:
    names = [f"I{number}-USDT" for number in range(count)]
    protocol = protocol_of(venue, names)
    market = itertools.islice(trades(MarketSpec(names[:1], rate=1_000, seed=1), START_NS), FRAMES)
    in_turn = (replace(trade, instrument=name) for trade, name in zip(market, itertools.cycle(names), strict=False))
    pairs = [f"{name}={_symbol(venue, name)}" for name in names]
    return float(_timed(program, venue, pairs, map(protocol.encode, in_turn))["decode_ns_per_frame"] or 0)


def _symbol(venue: VenueName, instrument: str) -> str:
    """How the venue calls it."""
    separators = {VenueName.KRAKEN: "/", VenueName.COINBASE: "-", VenueName.OKX: "-"}
    symbol = instrument.replace("-", separators.get(venue, ""))
    return symbol.lower() if venue is VenueName.BITSTAMP else symbol


def _timed(program: Path, venue: str, pairs: Sequence[str], frames: Iterable[str]) -> Figures:
    command: list[str | Path] = [program, venue, *pairs]
    done = subprocess.run(command, input="\n".join(frames), text=True, check=True, stdout=subprocess.PIPE)
    figures: Figures = json.loads(done.stdout)
    if figures["trades"] != figures["frames"]:
        raise RuntimeError(f"{venue}: {figures['trades']} trades of {figures['frames']} frames")
    return figures


if __name__ == "__main__":
    print(json.dumps(measure() | measure_instruments()))
