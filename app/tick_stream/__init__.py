"""ZeroMQ → every message of a bridge, in order, and a word about each that is lost. docs/ticks.md is for users."""

from app.tick_stream.items import Lost, Origin, Tick
from app.tick_stream.stream import TickStream

__all__ = ["Lost", "Origin", "Tick", "TickStream"]
