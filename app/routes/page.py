"""The page at `/`, from the folder that its build writes."""

import os
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from app.settings import PROJECT

DIST = PROJECT / "web" / "dist"
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>livetape</title>
<h1>The page is not built</h1>
<p>Run <code>make web</code>, then load this page again.
The API works without it: <a href="/docs">/docs</a>, <a href="/readyz">/readyz</a>.</p>
"""


def install(application: FastAPI, dist: Path = DIST) -> None:
    """Serve the page, whether it is built before or after the application starts."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def page() -> Response:
        index = dist / "index.html"
        if not index.exists():
            return HTMLResponse(NOT_BUILT, 503)
        return FileResponse(index, headers={"Cache-Control": "no-cache"})

    application.include_router(router)
    application.mount("/", _Files(directory=dist, check_dir=False))


class _Files(StaticFiles):
    """The page's other files; before they are built there are none."""

    async def check_config(self) -> None:
        """Answer 404, not 500, while the folder is missing."""
        if not _is_built(self.directory):
            raise HTTPException(404)


def _is_built(directory: str | os.PathLike[str] | None) -> bool:
    return directory is not None and Path(directory).is_dir()
