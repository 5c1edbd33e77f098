"""`make bench-bridge`: what the bridge costs from a frame on hand to ZeroMQ and to Kafka; the last line is JSON.

One after the other: a frame to its trade and its record (`bench.bridge_frames`) beside cryptofeed, a frame to ZeroMQ
beside bare sends, ITCH messages and packets to ZeroMQ (`bench.itch`), trades to Kafka beside librdkafka's own example,
and seven venues at once (`bench.seven_venues`). docs/bench.md has the keys and figures.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from app import topic_admin
from app.schema_registry import register_all
from app.settings import PROJECT, Settings
from app.sources import VenueConfig
from bench import bridge_frames, itch, python_engines, seven_venues
from bench.bridge_frames import Figures
from cli.parts import bridge_config
from local import ports, stack

PUBLISH: Final = "bridge-publish-bench"
PRODUCE: Final = "bridge-produce-bench"
EXAMPLE: Final = Path("/usr/share/doc/librdkafka-dev/examples/rdkafka_performance.c")
SHIMS: Final = {
    # What the example takes from librdkafka's source tree, which no package has.
    "rd.h": "#include <inttypes.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <sys/time.h>\n#include <time.h>\n"
    "#include <unistd.h>\n#define RD_UNUSED __attribute__((unused))\n#define rd_snprintf snprintf\n"
    "#define RD_MIN(a, b) ((a) < (b) ? (a) : (b))\n#define RD_MAX(a, b) ((a) > (b) ? (a) : (b))\n",
    "rdtime.h": "typedef int64_t rd_ts_t;\nstatic inline rd_ts_t rd_clock(void) {\n  struct timespec now;\n"
    "  clock_gettime(CLOCK_MONOTONIC, &now);\n  return (rd_ts_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;\n}\n",
}
RECORD_BYTES: Final = 108
WARMING: Final = 5
"""The broker compiles its own code under the first records, whoever writes them: a fifth as many come before all."""


def main(
    rate: Annotated[int, typer.Option(min=1, help="Frames a second.")] = 100_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each way to ZeroMQ is measured.")] = 5.0,
    trades: Annotated[int, typer.Option(min=1, help="Trades written to Kafka.")] = 5_000_000,
) -> None:
    """Measure the bridge on this machine."""
    python_engines.build()
    figures: Figures = itch.machine()
    figures |= bridge_frames.measure()
    figures["ws_frame_to_trade_ns"] = figures["decode_ns_per_frame"]
    figures |= bridge_frames.measure_instruments()
    figures |= _cryptofeed()
    figures |= _publish(rate, int(rate * seconds))
    figures |= itch.measure()
    figures |= _produce(trades)
    figures |= seven_venues.measure()
    print(json.dumps(figures))


def _cryptofeed() -> Figures:
    print("the same frames by cryptofeed", flush=True)
    return _run(python_engines.command("bench.cryptofeed_frames"), "\n".join(bridge_frames.frames()))


def _publish(rate: int, messages: int) -> Figures:
    print(f"a frame to ZeroMQ, {rate} a second", flush=True)
    (port,) = ports.free_ports(1)
    venue = ["binance", bridge_frames.PAIR]
    program = bridge_frames.build(PUBLISH)
    figures = _run(
        [program, f"tcp://127.0.0.1:{port}", str(rate), str(messages), *venue], "\n".join(bridge_frames.frames())
    )
    return {key.replace("bare_", "ws_bare_", 1): value for key, value in figures.items()}


def _produce(trades: int) -> Figures:
    program = bridge_frames.build(PRODUCE)
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        home = Path(folder)
        venue = VenueConfig(url="wss://127.0.0.1:1/", rest_url="https://127.0.0.1:1", instruments=("I0-USDT",))
        settings = stack.on_free_ports(Settings(namespace="bench", venues={"binance": venue}), home)
        with stack.running(settings):
            topic_admin.apply(settings)
            config = home / "bridge.json"
            config.write_text(json.dumps(bridge_config(settings, register_all(settings))))
            example = _build_example(home)
            if example is not None:
                _run_example(example, settings, trades // WARMING)
            print(f"{trades} trades to Kafka", flush=True)
            ours = _run([program, str(config), str(trades)])
            theirs = None if example is None else _run_example(example, settings, trades)
    ratio = None if theirs is None else float(ours["kafka_produce_per_s"] or 0) / theirs
    return {**ours, "librdkafka_per_s": theirs, "kafka_produce_vs_librdkafka": ratio}


def _build_example(home: Path) -> Path | None:
    """librdkafka's own performance example."""
    if not EXAMPLE.exists():
        print(f"no {EXAMPLE}: nothing to compare with")
        return None
    program = home / "rdkafka_performance"
    (home / "x").mkdir()
    (home / "src").mkdir()
    for name, text in SHIMS.items():
        for folder in ("x", "src"):
            (home / folder / name).write_text("#pragma once\n" + text)
    include: list[str | Path] = ["-I", home / "x", "-I", "/usr/include/librdkafka"]
    build: list[str | Path] = ["gcc", "-O2", "-w", "-D_GNU_SOURCE", *include, EXAMPLE, "-o", program, "-lrdkafka"]
    subprocess.run(build, check=True)
    return program


def _run_example(program: Path, settings: Settings, messages: int) -> float | None:
    """Records a second, as large as ours, by the same settings."""
    print(f"{messages} records of librdkafka's own example", flush=True)
    properties = ["enable.idempotence=true", "compression.codec=lz4", "linger.ms=5", "message.timeout.ms=0"]
    properties += ["queue.buffering.max.messages=65536"]
    what = ["-P", "-t", settings.topic("trades"), "-b", settings.kafka_bootstrap, "-s", str(RECORD_BYTES)]
    how = ["-c", str(messages), "-a", "-1"]
    options = [part for each in properties for part in ("-X", each)]
    done = subprocess.run(
        ["taskset", "-c", "0", program, *what, *how, *options], capture_output=True, text=True, check=True
    )
    return _messages_per_s(done.stdout + done.stderr)


def _messages_per_s(output: str) -> float | None:
    """The rate that the example says at its end."""
    rates = re.findall(r"delivered .* in \d+ms: (\d+) msgs/s", output)
    return float(rates[-1]) if rates else None


def _run(command: list[str | Path], text: str | None = None) -> Figures:
    done = subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.PIPE, cwd=PROJECT)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    typer.run(main)
