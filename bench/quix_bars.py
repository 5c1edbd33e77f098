"""Bars by Quix Streams: `quix_bars.py JOB`: a windowed reduction for each interval, published when its window is final.

A window is final when the time of its partition passes its end: the topic's last clock closes them all, the clocks
before it are left out. Ends when no more records come.
"""

from quixstreams import Application

from bench.python_trades import PeerTrade, Progress, TradeReader, add, first_bar, job_from_command_line

GRACE_MS = 1_000
IDLE_S = 10.0


def main() -> None:
    """Aggregate until no more records come."""
    job = job_from_command_line()
    app = Application(
        broker_address=job.bootstrap,
        consumer_group=job.application_id,
        auto_offset_reset="earliest",
        commit_interval=1.0,
        state_dir=job.state_dir,
        producer_extra_config={"linger.ms": 100, "compression.type": "lz4"},
        consumer_extra_config={"fetch.max.bytes": 64 * 1024 * 1024, "queued.min.messages": 100_000},
        loglevel="WARNING",
    )
    reader, progress = TradeReader(job), Progress(job.trades)

    def read(value: bytes) -> PeerTrade | None:
        trade = reader.read(value)
        if trade is not None:
            progress.aggregated()  # the last one in a moment
        elif (time_ms := reader.clock_ms(value)) >= job.end_ms:
            return PeerTrade(0, 0, 0, time_ms)
        return trade

    topic = app.topic(job.input_topic, value_deserializer="bytes", key_deserializer="str")
    trades = app.dataframe(topic).apply(read).filter(lambda trade: trade is not None)
    trades = trades.set_timestamp(lambda trade, _key, _time, _headers: trade.time_ms)
    for length_ms, output in job.outputs.items():
        bars = trades.tumbling_window(int(length_ms), GRACE_MS).reduce(add, first_bar).final("partition")
        bars.to_topic(app.topic(output, value_serializer="json", key_serializer="str"))
    app.run(timeout=IDLE_S, collect=False)


if __name__ == "__main__":
    main()
