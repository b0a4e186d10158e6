"""The HTTP protocol of a worker: uvicorn's, with limits on how long a request may take to arrive and how large its head may be.

uvicorn has neither: a client that sends half a request and falls silent would hold its connection for ever, and one that never ends its
headers would fill the memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import body_of

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from api.figures import Figures
    from api.straight import Call, Straight

ARRIVAL = 30.0  # seconds from a request's first byte to its last
HEAD = 65_536  # bytes of a request line and headers that are not yet complete
CONNECTIONS = 2_000  # open ones of a worker
LATE = b"HTTP/1.1 408 Request Timeout\r\n"
LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


class Wire(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *positional: Any, figures: Figures, straight: Straight | None = None, arrival: float = ARRIVAL, **named: Any) -> None:
        super().__init__(*positional, **named)
        self._figures, self._straight, self._arrival = figures, straight, arrival
        self._held: Call | None = None  # a plain one whose body is still to come
        self._timer: asyncio.TimerHandle | None = None
        self._head = 0  # bytes since the last complete head
        self._coming = False  # a request of which a part has come

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        if self._held and self._straight:
            self._straight.lost(self._held)
        if self.cycle and not self.cycle.response_complete:
            self._figures.add("disconnects")
            waiting = self.cycle.scope.get("state", {}).get("waiting")
            if waiting:
                waiting.cancel()  # nobody wants these letters decided any more
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        super().data_received(data)
        if self._coming and self._timer is None:
            self._expect()
        if self._head > HEAD and not self.transport.is_closing():
            self._refuse(LARGE, 431, "headers-too-large", f"headers: more than {HEAD} bytes. Send fewer.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._coming = True

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._head = -1 << 62  # a body is counted by who reads it

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head, self._coming = 0, False
        self._arrived()
        if self._held and self._straight:
            self._answer(self._straight, self._held)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin to answer a request whose head has come: a plain call straight, as soon as all of it has come, any other by the app."""
        if self._straight is None or not self._straight.takes(cycle):
            super()._start_asgi_task(cycle, app)
        elif (call := self._straight.admit(cycle)) and cycle.more_body:
            self._held = call
        elif call:
            self._answer(self._straight, call)

    def _answer(self, straight: Straight, call: Call) -> None:
        self._held = None
        straight.answer(call)

    def _expect(self) -> None:
        """A request is on its way."""
        self._timer = self.loop.call_later(self._arrival, self._late)

    def _arrived(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._answers_others():
            self.transport.abort()  # what is written now would be taken for another request's answer
        else:
            self._refuse(LATE, 408, "late", f"request: not complete after {self._arrival:g} seconds. Send it without pauses.")

    def _answers_others(self) -> bool:
        """Whether an answer is due, or was given, that is not to the request that is still coming."""
        if self._head < 0:
            return bool(self.pipeline) or self.cycle.response_started
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, line: bytes, status: int, kind: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        body = body_of(status, kind, detail)
        head = b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(line + head + body)
        self.transport.close()
