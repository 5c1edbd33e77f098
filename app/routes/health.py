"""Is the process alive, can it answer, and what do its numbers say."""

import time

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from app.bars import encode
from app.routes.context import Shared, json_text
from app.status import State

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Response:
    """200 while the process answers."""
    return json_text('{"status":"ok"}')


@router.get("/readyz")
async def readyz(shared: Shared) -> Response:
    """200 when the view holds all that was there at its start, or when Kafka was back last, else 503.

    The body says how it stands and why.
    """
    standing = shared.status.now
    ready = standing.state is State.READY
    body = {
        "ready": ready,
        "namespace": shared.settings.namespace,
        "state": standing.state,
        "reason": standing.reason,
        "history": standing.history,
        "history_reason": standing.history_reason,
        "left_out": shared.view.left_out,
    }
    return json_text(encode(body), 200 if ready else 503)


@router.get("/metrics")
async def metrics(shared: Shared) -> Response:
    """Prometheus metrics."""
    shared.metrics.left_out.set(shared.view.left_out)
    newest_ns = shared.view.newest_ns(shared.catalogue.intervals[0])
    if newest_ns is not None:
        shared.metrics.event_time_lag.set(time.time_ns() - newest_ns)
    return Response(generate_latest(shared.metrics.registry), media_type=CONTENT_TYPE_LATEST)
