"""Errors over HTTP: ``application/problem+json`` (RFC 9457), with a stable type each, and never a word of what was sent."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from triage.errors import TriageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

TITLES = {
    400: "请求无法读取",
    404: "没有这个地址",
    405: "不支持的方法",
    413: "内容过大",
    415: "不支持的内容类型",
    422: "内容不符合要求",
    500: "内部错误",
    503: "暂时无法服务",
    507: "存储不可用",
}


def problem(status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """One error as a response."""
    body = {"type": f"urn:letter-triage:problem:{kind}", "title": TITLES.get(status, HTTPStatus(status).phrase), "status": status, "detail": detail}
    return Response(orjson.dumps(body), status, headers, "application/problem+json")


def install(app: FastAPI) -> None:
    """Give every error of the app this shape."""
    app.add_exception_handler(TriageError, _triage)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
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


async def _unforeseen(_: Request, error: Exception) -> Response:
    return problem(500, "unforeseen", f"server: {type(error).__name__}. Nothing was stored. Report it with the time of the call.")
