"""What a worker finds wrong with the log that it takes in."""


class OffsetJump(LookupError):
    """A fetch did not begin where the one before it ended: the log is not the one that was taken so far."""

    def __init__(self, topic: str, partition: int, expected: str, begins_at: int) -> None:
        """`expected` says in words which offset was."""
        super().__init__(
            f"{topic} partition {partition}: {expected}, and the fetch begins at {begins_at}: the log was cut or made "
            "anew. Start again to have it checked"
        )


class CorruptRecords(Exception):
    """A record batch of a log cannot be read; the message says where and why."""
