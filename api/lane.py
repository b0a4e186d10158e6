"""Straight to an endpoint, for the calls that intake systems make all day.

FastAPI takes half of its time to find a route and to prepare what such a call does not use. The endpoint, the gate and the answers to errors are
those of the app, so OpenAPI stays true of it; tests/test_lane.py holds the two ways together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request

from api.access import Gate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI
    from fastapi.routing import APIRoute
    from starlette.types import ASGIApp, Receive, Scope, Send


class Lane:
    """Before the app: calls to ``routes``, whose endpoints take the request and nothing else, pass it by."""

    def __init__(self, behind: ASGIApp, app: FastAPI, routes: Sequence[APIRoute]) -> None:
        self._behind = behind
        self._straight = {(method, route.path): _straight(app, route) for route in routes for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, straight or by the app."""
        way = self._straight.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        await (way or self._behind)(scope, receive, send)


def _straight(app: FastAPI, route: APIRoute) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = route
        response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    handlers = dict(app.exception_handlers)
    unforeseen = handlers.pop(Exception)
    return ServerErrorMiddleware(Gate(ExceptionMiddleware(answer, handlers), access=app.state.access), handler=unforeseen)
