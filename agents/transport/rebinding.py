"""Parts of aiokafka and Faust with one name bound to something of ours, and all the rest theirs.

`tests/unit/agents/transport/test_pinned_internals.py` fails when a new version no longer has these names.
"""

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest


def rebind(function: Callable[..., Any], **names: object) -> FunctionType:
    """The same function with some of its module's names bound to other things."""
    if not isinstance(function, FunctionType):
        raise TypeError(f"{function!r} is no plain function")
    bound = FunctionType(
        function.__code__, {**function.__globals__, **names}, function.__name__, function.__defaults__, None
    )
    bound.__kwdefaults__ = function.__kwdefaults__
    return bound


class AskingClient(AIOKafkaClient):  # type: ignore[misc]  # aiokafka has no types
    """A client that makes no topic by asking for it: a broker of `auto.create.topics.enable` makes what is missing."""

    _metadata_update = rebind(
        AIOKafkaClient._metadata_update,  # noqa: SLF001 - pinned by a test
        MetadataRequest=partial(MetadataRequest, allow_auto_topic_creation=False),
    )


def client_of(connection: type[AIOKafkaConnection]) -> type[AskingClient]:
    """The class of a client whose connections are of this class."""

    async def connect(host: str, port: int, **options: Any) -> AIOKafkaConnection:  # noqa: ANN401 - aiokafka's
        made = connection(host, port, **options)
        await made.connect()
        return made

    get_conn = rebind(AIOKafkaClient._get_conn, create_conn=connect)  # noqa: SLF001 - pinned by a test
    return type(f"ClientOf{connection.__name__}", (AskingClient,), {"_get_conn": get_conn})
