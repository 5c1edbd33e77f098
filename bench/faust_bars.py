"""Bars by stock Faust: `faust_bars.py JOB`: an agent, and a windowed table in memory for each interval.

What it puts out is the changelog of its tables: its windows close by the machine's clock, which says nothing here.
"""

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faust
from faust.types import StreamT

from bench.python_trades import PeerJob, Progress, TradeReader, add, first_bar, job_from_command_line

_FLUSH_S = 3.0
_PARTITIONS = 4


class _EventTime:
    """The time of the trade at hand, which the windows are relative to."""

    seconds = 0.0

    def __call__(self, _event: object) -> float:
        return self.seconds


def main() -> None:
    """Aggregate all trades, then stop."""
    app = _build(job_from_command_line())
    # Faust's own words go to the log, because standard output is for the progress.
    worker = faust.Worker(app, loglevel="WARNING", stdout=sys.stderr, redirect_stdouts=False)
    worker.execute_from_commandline()


def _build(job: PeerJob) -> faust.App:
    app = faust.App(
        job.application_id,
        broker=f"kafka://{job.bootstrap}",
        store="memory://",
        consumer_auto_offset_reset="earliest",
        topic_replication_factor=1,
        topic_partitions=_PARTITIONS,
        producer_linger=0.1,
        stream_wait_empty=False,
        web_enabled=False,
        datadir=job.state_dir,
    )
    now = _EventTime()
    tables = [
        _relative_to(
            now,
            app.Table(name, default=list, key_type=str, value_type=list, partitions=_PARTITIONS).tumbling(
                int(length_ms) / 1_000
            ),
        )
        for length_ms, name in job.outputs.items()
    ]
    reader, progress = TradeReader(job), Progress(job.trades)

    @app.agent(app.topic(job.input_topic, key_type=str, value_type=bytes, value_serializer="raw"))
    async def fold(trades: StreamT[bytes]) -> None:
        with _ending_on_error():
            async for key, value in trades.items():
                trade = reader.read(value)
                if trade is None:
                    continue
                now.seconds = trade.time_ms / 1_000
                for table in tables:
                    bar = table[key].value()
                    table[key] = add(bar, trade) if bar else first_bar(trade)
                if progress.aggregated():
                    asyncio.get_running_loop().call_later(_FLUSH_S, os.kill, os.getpid(), signal.SIGTERM)

    return app


@contextmanager
def _ending_on_error() -> Iterator[None]:
    """End the process, where Faust would start the agent again and lose the trade."""
    try:
        yield
    except Exception:
        traceback.print_exc()
        os._exit(1)


def _relative_to(now: _EventTime, table: Any) -> Any:  # noqa: ANN401 - Faust's own type of it leaves this method out
    return table.relative_to(now)


if __name__ == "__main__":
    main()
