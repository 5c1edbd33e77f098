"""Record sets through Faust: one event a partition and fetch, undecoded, for the topics that ask for it."""

from agents.transport.app import BatchApp, BatchSource
from agents.transport.batch_producer import PreparedBatch, transactional_producer
from agents.transport.batch_sender import BatchSender
from agents.transport.connection import app_connection, consumer_connection
from agents.transport.consumer import Transport
from agents.transport.fetch import undecoding_consumer
from agents.transport.record_set import RecordSet

__all__ = [
    "BatchApp",
    "BatchSender",
    "BatchSource",
    "PreparedBatch",
    "RecordSet",
    "Transport",
    "app_connection",
    "consumer_connection",
    "transactional_producer",
    "undecoding_consumer",
]
