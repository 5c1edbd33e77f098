"""`make bench-kernel`: what one trade costs the fold kernel alone, on one thread, with no broker.

The record sets are what a fetch of 1 MiB brings, uncompressed: CRC, record headers, Avro, ids and bars are in the
figure; decompression and the network are not. The last line is one JSON object.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from agents.kernel import FoldConfig, PartitionFold, WriterSchemas
from app.intervals import read_interval
from app.settings import Settings
from app.units import SECOND_NS
from bench.trades_topic import TradesSpec, trades

FETCH_BYTES: Final = 1024 * 1024
TRADES_PER_S: Final = 2_778  # of event time, as in the topic of `make bench-stream`: so many trades make a bar
RUNS: Final = 5
FLUSH_EVERY: Final = 8
TRADE_SCHEMA_ID: Final = 1


def main(
    count: Annotated[int, typer.Option("--trades", min=1, help="Trades to fold.")] = 1_000_000,
    instruments: Annotated[int, typer.Option(min=1, help="Instruments, by Zipf.")] = 1_000,
    intervals: Annotated[str, typer.Option(help="Intervals, the base first.")] = "1m",
) -> None:
    """Fold the trades of a benchmark's topic out of memory, and say what one of them costs."""
    settings = Settings(intervals=tuple(intervals.split(",")))
    spec = TradesSpec(count, instruments, span_s=max(60, count // TRADES_PER_S))
    sets = list(record_sets(spec, settings.schemas_dir))
    runs = [_run(settings, sets, count) for _ in range(RUNS)]
    print(json.dumps({"trades": count, "intervals": intervals, "instruments": instruments} | min(runs, key=_ns)))


def _run(settings: Settings, sets: list[bytes], count: int) -> dict[str, float]:
    fold = new_fold(settings)
    folding_s = flushing_s = 0.0
    accepted = finals = offset = 0
    for number, record_set in enumerate(sets, 1):
        began = time.perf_counter()
        outcome = fold.fold(record_set, [], offset)
        folded = time.perf_counter()
        if number % FLUSH_EVERY == 0:
            fold.take_flush()
        folding_s += folded - began
        flushing_s += time.perf_counter() - folded
        offset = outcome.next_offset
        accepted += outcome.trades
        finals += outcome.finals
    if accepted != count:
        raise RuntimeError(f"{accepted:,} of {count:,} trades were accepted")
    return {
        "finals": finals,
        "fold_ns_per_trade": round(folding_s / count * SECOND_NS, 1),
        "flush_ns_per_trade": round(flushing_s / count * SECOND_NS, 1),
    }


def _ns(run: dict[str, float]) -> float:
    return run["fold_ns_per_trade"] + run["flush_ns_per_trade"]


def record_sets(spec: TradesSpec, schemas_dir: Path) -> Iterator[bytes]:
    """The trades of a benchmark's topic as fetches would bring them."""
    batch, first, place = _new_batch(), 0, 0
    for _, key, value in trades(spec, TRADE_SCHEMA_ID, schemas_dir):
        if batch.append(place, 0, key, value, []) is None:
            yield _placed(batch, first)
            batch, first, place = _new_batch(), first + place, 0
            batch.append(place, 0, key, value, [])
        place += 1
    yield _placed(batch, first)


def _new_batch() -> DefaultRecordBatchBuilder:
    return DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, FETCH_BYTES)


def _placed(batch: DefaultRecordBatchBuilder, first_offset: int) -> bytes:
    """The batch with its offset, which a broker writes over the first 8 bytes; no checksum covers them."""
    return first_offset.to_bytes(8, "big") + bytes(batch.build())[8:]


def fold_config(settings: Settings) -> FoldConfig:
    """How trades become bars by these settings."""
    return FoldConfig(
        intervals=[read_interval(name) for name in settings.intervals],
        out_of_order_ns=settings.out_of_order_ns,
        grace_ns=settings.grace_ns,
        horizon_ns=settings.horizon_ns,
        max_ahead_ns=settings.max_ahead_ns,
    )


def new_fold(settings: Settings) -> PartitionFold:
    """A fold of nothing, that knows the schema of these trades."""
    schemas = WriterSchemas()
    schemas.add(TRADE_SCHEMA_ID, (settings.schemas_dir / "trade.avsc").read_text(encoding="utf-8"))
    return PartitionFold(
        fold_config(settings), schemas, bar_schema_id=2, live_schema_id=3, partition=0, epoch="bench", generation=0
    )


if __name__ == "__main__":
    typer.run(main)
