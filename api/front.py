"""Before the app: every request gets an id, its desk and a line in the log; past a bound it is refused at once, so that those inside are answered soon.

Pure ASGI and outermost, so that nothing goes out without an id and nothing escapes the log. ``/healthz``, ``/readyz`` and ``/metrics`` are
never refused.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from api import logs
from api.figures import CLOSED, ROUTES
from api.problems import problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.figures import Figures
    from api.live import Live

OPEN = {"/healthz", "/readyz", "/metrics"}
REQUESTS = 64  # in work of a worker at once: as many single letters are decided together
FEW, SOON_ENOUGH = 8, 0.125  # so many are always let in; more only while what is in work takes fewer seconds than this at the pace of late
PACE = 0.05  # weight of the latest request in that pace
BODIES = 4  # bodies of the largest allowed size that a worker holds at once
HEADERS, HEADER_BYTES = 100, 32_768
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SOON = {"Retry-After": "1"}


@dataclass(slots=True)
class Visit:
    """One request, as the log tells it."""

    id: str
    began: float
    received: int
    status: int = CLOSED
    sent: int = 0
    company: int = 1  # requests in work when it came, itself among them


class Front:
    """The door of a worker: ``app`` behind it, and what is in work now. ``routes`` are those that the app documents."""

    def __init__(self, app: ASGIApp, live: Live, figures: Figures, max_body: int, routes: Sequence[str]) -> None:
        self.draining = False
        self.figures, self.routes = figures, routes
        self._app, self._live, self._max_body = app, live, max_body
        self._in_work = self._bytes = 0
        self._pace = 0.0  # seconds from one answer to the next
        self._stem, self._visits = secrets.token_hex(5), count()  # of ids: asking the system for chance each time is dear
        self._numbers = {route: number for number, route in enumerate(routes)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        visit, refused = self.arrive(scope)
        logs.request_id.set(visit.id)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", visit.id.encode())]
            else:
                visit.sent += len(message.get("body", b""))
            await send(message)

        try:
            await (refused(scope, receive, tell) if refused else self._admitted(scope, receive, tell, visit))
        finally:
            self.account(scope, visit)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
        if scope["path"] in OPEN:
            return await self._app(scope, receive, send)
        self.enter(visit)
        try:
            await self._app(scope, receive, send)
        finally:
            self.leave(visit)

    def arrive(self, scope: Scope) -> tuple[Visit, Response | None]:
        """A request comes, and gets its desk: its visit, and the answer when it is refused."""
        given, size, refused = self._look(scope)
        scope.setdefault("state", {})["desk"] = self._live.desk
        return Visit((given and logs.sane(given)) or f"{self._stem}{next(self._visits):06x}", time.perf_counter(), size), refused

    def enter(self, visit: Visit) -> None:
        """It is in work from now on."""
        self._in_work, self._bytes = self._in_work + 1, self._bytes + visit.received
        visit.company = self._in_work
        self.figures.set("in_work", self._in_work)

    def leave(self, visit: Visit) -> None:
        """It is no more."""
        company = max(visit.company, self._in_work)  # those that are decided together come and go together
        self._pace += PACE * ((time.perf_counter() - visit.began) / company - self._pace)  # Little's law
        self._in_work, self._bytes = self._in_work - 1, self._bytes - visit.received
        self.figures.set("in_work", self._in_work)

    def _look(self, scope: Scope) -> tuple[bytes, int, Response | None]:
        """The id that came along, how large the body may be, and why the request is refused, if it is."""
        given, size, total = b"", 0, 0
        for name, value in scope["headers"]:
            total += len(name) + len(value)
            if name == b"x-request-id":
                given = value
            elif name == b"content-length":
                size = min(int(value), self._max_body) if value.isdigit() else 0
            elif name == b"transfer-encoding":
                size = self._max_body
        if len(scope["headers"]) > HEADERS or total > HEADER_BYTES:
            return given, size, problem(431, "headers-too-large", f"headers: more than {HEADERS}, or than {HEADER_BYTES} bytes. Send fewer.")
        return given, size, None if scope["path"] in OPEN else self._full(size)

    def _full(self, size: int) -> Response | None:
        if self.draining:
            why = "server: is stopping. What it had accepted is answered. Send it again in a second."
            return self._refused("draining", why, {"Connection": "close"})
        slow = self._in_work >= FEW and self._in_work * self._pace > SOON_ENOUGH
        if slow or self._in_work >= REQUESTS or (self._in_work and self._bytes + size > BODIES * self._max_body):
            return self._refused("busy", f"server: as many requests in work as it can answer soon ({self._in_work}). Send it again in a second.", {})
        return None

    def _refused(self, kind: str, why: str, headers: dict[str, str]) -> Response:
        self.figures.add("refused")
        return problem(503, kind, why, SOON | headers)

    def account(self, scope: Scope, visit: Visit) -> None:
        """It is over: count it, and write its line."""
        seconds = time.perf_counter() - visit.began
        route = getattr(scope.get("route"), "path", "")
        self.figures.answered(self._numbers.get(route, ROUTES - 1), visit.status, seconds)
        told = {
            "id": visit.id,
            "method": scope["method"] if scope["method"] in METHODS else "other",
            "route": route if route in self._numbers else "other",
            "status": visit.status,
            "received": visit.received,
            "sent": visit.sent,
            "ms": round(seconds * 1e3, 2),
            "model": scope["state"]["desk"].version,
        }
        logs.LOG.write("info", "request", told, later=True)
