"""What a user adds to the fold's worker: ordinary agents, a table and an output of their own."""

import asyncio
from typing import Any

from faust.types import StreamT

from agents.worker import build_worker
from app.settings import Settings

settings = Settings()
app = build_worker(settings)
orders = app.topic(settings.topic("orders"), key_type=str, value_serializer="json")
calls = app.topic(settings.topic("calls"), value_serializer="json")
totals = app.topic(settings.topic("totals"), key_type=str, value_serializer="json")
sums = app.Table("sums", default=int, partitions=4)


@app.agent(orders, name="sum_orders")
async def sum_orders(quantities: StreamT[Any]) -> None:
    """Sum of the quantities of each key."""
    async for name, quantity in quantities.items():
        sums[name] += quantity
        await totals.send(key=name, value=sums[name])


@app.agent(calls, name="wait_for_an_answer")
async def wait_for_an_answer(numbers: StreamT[Any]) -> None:
    """Calls somebody who never answers."""
    async for _ in numbers:
        await asyncio.Event().wait()
