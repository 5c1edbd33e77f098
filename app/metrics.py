"""The API's Prometheus metrics, in a registry of their own so that each application counts for itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector


class Metrics:
    """Every metric of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.clients = Gauge("livetape_ws_clients", "Open /ws connections.", registry=self.registry)
        self.sent = Counter("livetape_ws_sent", "Messages sent to /ws clients.", registry=self.registry)
        self.skipped = self._counter(
            "livetape_ws_skipped",
            "Messages that slow /ws clients did not get: bars conflated, trades skipped.",
            "channel",
        )
        self.slow_disconnects = Counter(
            "livetape_ws_slow_disconnects", "Connections ended because the client did not read.", registry=self.registry
        )
        self.errors = self._counter("livetape_api_errors", "Requests refused, by REST or /ws and code.", "door", "code")
        self.records = self._counter("livetape_view_records", "Records the view has read.", "topic")
        self.bad_records = self._counter("livetape_view_bad_records", "Records the view could not read.", "topic")
        self.view_lag = Gauge(
            "livetape_view_lag_ns",
            "How far the view is behind, in nanoseconds: while it is ready, how long the newest record took from the "
            "broker's log to it; else how long ago that was appended, or it was ready.",
            ["topic"],
            registry=self.registry,
        )
        self.event_time_lag = Gauge(
            "livetape_view_event_time_lag_ns",
            "Now less the newest bar start the view has, of the finest interval, in nanoseconds.",
            registry=self.registry,
        )
        self.left_out = Gauge(
            "livetape_view_left_out", "Bars of series beyond the view's bound.", registry=self.registry
        )
        self.ticks = self._counter(
            "livetape_ticks",
            "Messages from the bridge: live over ZeroMQ, and missed ones from its memory or from Kafka.",
            "venue",
            "origin",
        )
        self.tick_holes = self._counter("livetape_tick_holes", "Times that missed messages were given up.", "venue")
        self.ticks_missing = self._counter("livetape_ticks_missing", "Messages that were given up.", "venue")
        self.bad_ticks = Counter(
            "livetape_bad_ticks", "ZeroMQ messages that could not be read.", registry=self.registry
        )

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, registry=self.registry)
