"""Faults by HTTP: `POST /control/drop`, and with `?n=3` `/control/skip`, `lose`, `repeat`, `garbage`, `refuse`.

Status 400 where `n` is no number above 0.
"""

from collections.abc import Sequence

from aiohttp import web

from replay.exchange import Exchange


async def serve_control(exchanges: Sequence[Exchange], port: int) -> web.AppRunner:
    """Serve the control endpoint on this machine; the faults strike every exchange. Clean the runner up to end it."""

    async def control(request: web.Request) -> web.Response:
        fault = request.match_info["fault"]
        count = _count(request.query.get("n", "1"))
        for exchange in exchanges:
            if fault == "drop":
                await exchange.drop_connections()
            else:
                getattr(exchange.faults, fault)(count)
        return web.json_response({"fault": fault, "n": count})

    app = web.Application()
    app.router.add_post("/control/{fault:drop|skip|lose|repeat|garbage|refuse}", control)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise web.HTTPBadRequest(text="n is a number above 0")
    return int(text)
