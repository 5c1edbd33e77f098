"""Every refusal and failure as `{"error": {"code", "reason"}}`."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.bars import encode
from app.catalogue import Code, RequestRefused
from app.metrics import Metrics
from app.routes.context import json_text

log = logging.getLogger(__name__)

STATUS = {
    Code.UNKNOWN_VENUE: 404,
    Code.UNKNOWN_INSTRUMENT: 404,
    Code.UNKNOWN_INTERVAL: 404,
    Code.UNKNOWN_CHANNEL: 404,
    Code.NOT_FOUND: 404,
    Code.WRONG_METHOD: 405,
    Code.WRONG_ORIGIN: 403,
    Code.BAD_PARAMETER: 400,
    Code.NOT_READY: 503,
    Code.NO_DATABASE: 503,
    Code.INTERNAL: 500,
}


def error_response(code: Code, reason: str, status: int) -> Response:
    """A refusal or failure in the one form."""
    return json_text(encode({"error": {"code": code, "reason": reason}}), status)


def install(application: FastAPI, metrics: Metrics) -> None:
    """Answer every kind of error in the one form, and count it."""

    def answer(code: Code, reason: str, status: int) -> Response:
        metrics.errors.labels("rest", code).inc()
        return error_response(code, reason, status)

    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestRefused)  # noqa: S101 - tells the type checker what the framework guarantees
        return answer(error.code, error.reason, STATUS[error.code])

    def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        reasons = [f"{part['loc'][-1]}: {part['msg']}" for part in error.errors()]
        return answer(Code.BAD_PARAMETER, "; ".join(reasons), STATUS[Code.BAD_PARAMETER])

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        path, status = request.url.path, error.status_code
        if status == STATUS[Code.NOT_FOUND]:
            return answer(Code.NOT_FOUND, f"there is nothing at {path}", status)
        if status == STATUS[Code.WRONG_METHOD]:
            return answer(Code.WRONG_METHOD, f"{path} answers GET alone", status)
        return answer(Code.INTERNAL, error.detail, status)

    def failed(request: Request, error: Exception) -> Response:
        log.error("%s failed", request.url.path, exc_info=error)
        return answer(Code.INTERNAL, "the request failed; the log says why", STATUS[Code.INTERNAL])

    application.add_exception_handler(RequestRefused, refused)
    application.add_exception_handler(RequestValidationError, invalid)
    application.add_exception_handler(HTTPException, http)
    application.add_exception_handler(Exception, failed)
