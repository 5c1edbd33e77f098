"""Kafka, schema registry and Postgres on one machine, with no Docker."""
