"""Users' aggregates, folded from the trades that the kernel hands out, flushed in the bars' own transactions."""

from agents.aggregates.partition import AggregateOutput, PartitionAggregates
from agents.aggregates.records import Origin
from agents.aggregates.recovery import restore_aggregates
from agents.aggregates.user_code import AggregateFailed

__all__ = ["AggregateFailed", "AggregateOutput", "Origin", "PartitionAggregates", "restore_aggregates"]
