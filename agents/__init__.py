"""Kafka to tables to sinks: the Faust side of livetape."""
