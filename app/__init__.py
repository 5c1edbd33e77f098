"""What the API serves. `uvicorn app:app` builds it from the environment on first use; importing connects nothing."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    app: FastAPI

else:  # a type checker would take every misspelt name of this package for the application

    def __getattr__(name: str) -> object:
        """Build the application when it is first asked for, so that other parts import `app` without it."""
        if name != "app":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from app.api import build_api  # noqa: PLC0415 - only who asks for the application pays for FastAPI
        from app.settings import Settings  # noqa: PLC0415 - as above

        globals()["app"] = build_api(Settings())
        return globals()["app"]
