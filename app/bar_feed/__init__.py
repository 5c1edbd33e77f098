"""Kafka → view: the bars' topics and the aggregates', from where the stored bars end."""
