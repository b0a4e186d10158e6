"""Routes that are called often: FastAPI declares and documents them, and calls them without its own reading of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request
    from starlette.responses import Response


class Lean(APIRoute):
    """A route whose function takes the request and returns the response is called as it is; any other, and one with dependencies, as FastAPI calls it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function itself where it asks for nothing but the request."""
        asks = self.dependant
        read = [*asks.dependencies, *asks.path_params, *asks.query_params, *asks.header_params, *asks.cookie_params, *asks.body_params]
        if read or not asks.request_param_name or self.dependencies:
            return super().get_route_handler()
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler
