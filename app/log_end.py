"""How a consumer tells that a partition is read to where it ended."""

from confluent_kafka import KafkaError, Message


def is_end(error: KafkaError) -> bool:
    """Whether what a consumer tells as an error is that there is no more now."""
    return error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - its public name begins with an underscore


def is_read_to(end: int, message: Message) -> bool:
    """Whether a message shows that its partition is read to this offset. Kafka tells the end only of one that rests."""
    error = message.error()
    return (message.offset() or 0) + 1 >= end if error is None else is_end(error)


def next_offset(message: Message) -> int | None:
    """Up to where a message shows that its partition is read; None of an error."""
    error, offset = message.error(), message.offset() or 0
    if error is None:
        return offset + 1
    return offset if is_end(error) else None
