"""Record sets through Faust: one event a partition and fetch, undecoded, for the topics that ask for it."""

from agents.transport.app import BatchApp, BatchSource
from agents.transport.batch_producer import PreparedBatch, plain_producer, transactional_producer
from agents.transport.connection import app_connection, consumer_connection
from agents.transport.consumer import Transport
from agents.transport.fetch import undecoding_consumer
from agents.transport.record_set import RecordSet

__all__ = [
    "BatchApp",
    "BatchSource",
    "PreparedBatch",
    "RecordSet",
    "Transport",
    "app_connection",
    "consumer_connection",
    "plain_producer",
    "transactional_producer",
    "undecoding_consumer",
]
