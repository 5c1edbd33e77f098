"""`make bench-aggregates`: what a trade costs an aggregate in Python beside the kernel, with no broker.

The same record sets as `make bench-kernel`, folded three times over: by the kernel alone, by the kernel when it hands
its trades out and nobody takes a column, and with the VWAP of docs/aggregates.md. Every bar must have its record. The
last line is one JSON object.
"""

import json
import re
import sys
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Annotated, Any, Final

import typer

from agents.aggregates import PartitionAggregates
from agents.aggregates.records import Origin
from app.aggregates import Declared, declared
from app.settings import PROJECT, Settings
from bench.kernel_fold import FLUSH_EVERY, TRADES_PER_S, fold_config, new_fold, record_sets
from bench.trades_topic import TradesSpec

RUNS: Final = 3
PAGE: Final = PROJECT / "docs" / "aggregates.md"


def main(
    count: Annotated[int, typer.Option("--trades", min=1, help="Trades to fold.")] = 500_000,
    instruments: Annotated[int, typer.Option(min=1, help="Instruments, by Zipf.")] = 1_000,
    intervals: Annotated[str, typer.Option(help="Intervals, the base first.")] = "1s,1m",
) -> None:
    """Fold a benchmark's trades out of memory, and say what an aggregate adds to one of them."""
    settings = Settings(intervals=tuple(intervals.split(",")))
    spec = TradesSpec(count, instruments, span_s=max(60, count // TRADES_PER_S))
    sets = list(record_sets(spec, settings.schemas_dir))
    ways: dict[str, Sequence[Declared] | None] = {"kernel": None, "handed_out": (), "vwap": [declared(_example().Vwap)]}
    costs = {
        f"{name}_ns_per_trade": min(_run(settings, sets, of) for _ in range(RUNS)) / count for name, of in ways.items()
    }
    costs = {name: round(value, 1) for name, value in costs.items()}
    print(json.dumps({"trades": count, "intervals": intervals, "instruments": instruments} | costs))


def _run(settings: Settings, sets: Sequence[bytes], of: Sequence[Declared] | None) -> int:
    """Nanoseconds of CPU that folding and flushing took."""
    fold = new_fold(settings)
    if of is not None:
        fold.hand_out_trades()
    schema_ids = {each.record: 1 for each in of or ()}
    aggregates = PartitionAggregates(of or (), fold_config(settings), schema_ids, Origin("bench", 0, 0))
    aggregates.restored(0, fold.has_bar)
    offset, bars, records = 0, 0, 0
    began = time.process_time_ns()
    for number, record_set in enumerate(sets, 1):
        offset = fold.fold(record_set, [], offset).next_offset
        batches = fold.take_accepted()
        aggregates.take(batches)
        if number % FLUSH_EVERY == 0:
            flush = fold.take_flush()
            bars += len(flush.published)
            records += sum(map(len, aggregates.flush(flush).records.values()))
    took = time.process_time_ns() - began
    if of and records != bars * len(of):
        raise RuntimeError(f"{records:,} records of {bars:,} bars")
    return took


def _example() -> Any:  # noqa: ANN401 - a module made here
    """The module of docs/aggregates.md."""
    text, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module = sys.modules["my_aggregates"] = ModuleType("my_aggregates")
    exec(text, module.__dict__)  # noqa: S102 - the project's own page
    return module


if __name__ == "__main__":
    typer.run(main)
