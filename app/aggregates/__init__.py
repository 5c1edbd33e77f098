"""Aggregates that users declare in Python: what one is, how it is found, and how its records are described.

One place for all parts: the fold computes them, the registry, topics.yaml, Postgres and the API describe and show them.
"""

from app.aggregates.declaration import (
    ENVELOPE,
    Aggregate,
    AggregatesUnfit,
    Amount,
    BadValue,
    Declared,
    Field,
    Float,
    Integer,
    Kind,
    Text,
    Trades,
    declared,
)
from app.aggregates.loading import load_aggregates

__all__ = [
    "ENVELOPE",
    "Aggregate",
    "AggregatesUnfit",
    "Amount",
    "BadValue",
    "Declared",
    "Field",
    "Float",
    "Integer",
    "Kind",
    "Text",
    "Trades",
    "declared",
    "load_aggregates",
]
