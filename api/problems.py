"""Errors over HTTP: ``application/problem+json`` (RFC 9457), with a stable type each, and never a word of what was sent."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api import logs
from api.figures import CLOSED
from api.kinds import KINDS
from triage.errors import TriageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

URN = "urn:letter-triage:problem:"
NEXT_TRY = {409: "1", 503: "2"}  # seconds


class RefusedError(TriageError):
    """A call that is not answered because of who makes it or how; ``headers`` say more."""

    status = 403
    exit_status = 2
    kind = "refused"

    def __init__(self, message: str, *, kind: str, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, kind=kind, status=status)
        self.headers = dict(headers or {})


def problem(status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """One error as a response."""
    return Response(body_of(status, kind, detail), status, headers, "application/problem+json")


def body_of(status: int, kind: str, detail: str) -> bytes:
    """One error as JSON, with the id of the request that it answers."""
    title = KINDS[kind].title if kind in KINDS else HTTPStatus(status).phrase
    told = {"type": f"{URN}{kind}", "title": title, "status": status, "detail": logs.plain(detail)}
    request = logs.request_id.get()
    return orjson.dumps(told | {"request_id": request} if request else told)


def of(error: TriageError) -> Response:
    """The response to one of our errors."""
    headers = dict(error.headers) if isinstance(error, RefusedError) else {}
    if error.status == 413:
        headers["Connection"] = "close"  # what is still to come is not read
    if error.status == 415:
        headers["Accept-Post"] = "application/json"
    if error.status == 503 or error.kind == "idempotency-running":
        headers["Retry-After"] = NEXT_TRY[error.status]
    inward = error.status >= 500 and error.kind in KINDS  # the office's own errors name its folders and servers: they are for its log
    return problem(error.status, error.kind, KINDS[error.kind].says if inward else str(error), headers)


def install(app: FastAPI) -> None:
    """Give every error of the app this shape."""
    app.add_exception_handler(TriageError, _triage)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unforeseen)


async def _triage(_: Request, error: Exception) -> Response:
    assert isinstance(error, TriageError)
    return of(error)


async def _http(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    headers = {"Allow": ", ".join(_allowed(request))} if status == 405 else getattr(error, "headers", None)
    kind = HTTPStatus(status).phrase.lower().replace(" ", "-")
    return problem(status, kind, f"request: {HTTPStatus(status).phrase}. The calls are listed under /docs. Correct address or method.", headers)


def _allowed(request: Request) -> list[str]:
    """The methods of this address: of all routes that have it, not only of the first. Pages of their own have GET alone."""
    paths = {re.sub(r"\{\w+\}", "[^/]+", path): calls for path, calls in request.app.openapi()["paths"].items()}
    return sorted({method.upper() for path, calls in paths.items() if re.fullmatch(path, request.scope["path"]) for method in calls} or {"GET"})


async def _validation(_: Request, __: Exception) -> Response:
    return problem(422, "invalid-request", "request: a parameter is missing or of the wrong kind. The parameters are listed under /docs. Correct the call.")


async def _gone(_: Request, __: Exception) -> Response:
    """Nobody hears this; the log and the figures do."""
    return Response(status_code=CLOSED)


async def _unforeseen(_: Request, error: Exception) -> Response:
    return unforeseen(error)


def unforeseen(error: Exception) -> Response:
    """The response to a fault of ours."""
    return problem(500, "unforeseen", f"server: {type(error).__name__}. Nothing was stored. Report it with the time of the call.")
