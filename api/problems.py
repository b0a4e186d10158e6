"""Errors over HTTP: ``application/problem+json`` (RFC 9457), with a stable type each, and never a word of what was sent."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api import logs
from api.figures import CLOSED
from triage.errors import TriageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

TITLES = {
    400: "请求无法读取",
    404: "没有这个地址",
    405: "不支持的方法",
    408: "请求没有按时传完",
    413: "内容过大",
    415: "不支持的内容类型",
    422: "内容不符合要求",
    431: "请求头过大",
    500: "内部错误",
    503: "暂时无法服务",
    507: "存储不可用",
}


def problem(status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """One error as a response."""
    return Response(body_of(status, kind, detail), status, headers, "application/problem+json")


def body_of(status: int, kind: str, detail: str) -> bytes:
    """One error as JSON, with the id of the request that it answers."""
    told = {"type": f"urn:letter-triage:problem:{kind}", "title": TITLES.get(status, HTTPStatus(status).phrase), "status": status, "detail": logs.plain(detail)}
    request = logs.request_id.get()
    return orjson.dumps(told | {"request_id": request} if request else told)


def install(app: FastAPI) -> None:
    """Give every error of the app this shape."""
    app.add_exception_handler(TriageError, _triage)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unforeseen)


async def _triage(_: Request, error: Exception) -> Response:
    status, kind = getattr(error, "status", 500), getattr(error, "kind", "error")
    return problem(status, kind, str(error), {"Accept-Post": "application/json"} if status == 415 else None)


async def _http(_: Request, error: Exception) -> Response:
    status, headers = getattr(error, "status_code", 500), getattr(error, "headers", None)
    kind = HTTPStatus(status).phrase.lower().replace(" ", "-")
    return problem(status, kind, f"request: {HTTPStatus(status).phrase}. The calls are listed under /docs. Correct address or method.", headers)


async def _validation(_: Request, __: Exception) -> Response:
    return problem(422, "invalid-request", "request: a parameter is missing or of the wrong kind. The parameters are listed under /docs. Correct the call.")


async def _gone(_: Request, __: Exception) -> Response:
    """Nobody hears this; the log and the figures do."""
    return Response(status_code=CLOSED)


async def _unforeseen(_: Request, error: Exception) -> Response:
    return problem(500, "unforeseen", f"server: {type(error).__name__}. Nothing was stored. Report it with the time of the call.")
