"""From the wire to the desk and back, for the call that intake systems make all day: ``POST /v1/classify`` with a body that is not large.

The app would answer the same and takes as long again as the decision: a task, a scope that passes six layers, and messages of a request that is here
whole already. What is asked and answered is what the app asks and answers, by the same functions, so OpenAPI stays true of it; tests/test_straight.py
holds the two ways together. Whatever is not plain is left to the app.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api import bodies, logs, problems, schemas
from api.letters import CLASSIFY, batch_of, single_of
from triage.errors import TriageError
from triage.register import keys

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from api.access import Access
    from api.front import Front, Visit
    from api.work import Work

    Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

SMALL = 16_384  # bytes of a body: five thousand characters; those of all connections that may be open are 32 MB together


@dataclass(slots=True, eq=False)
class Call:
    """A plain call. ``told`` are headers for its caller, whatever the answer is."""

    cycle: RequestResponseCycle
    scope: Scope
    visit: Visit
    told: dict[str, str] = field(default_factory=dict)

    def send(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """What uvicorn's own ``send`` does with a response that is whole."""
        cycle, visit = self.cycle, self.visit
        if cycle.disconnected:
            return
        headers += [(name.lower().encode(), value.encode()) for name, value in self.told.items()]
        headers.append((b"x-request-id", visit.id.encode()))
        if (b"connection", b"close") in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        visit.status, visit.sent = status, len(body)
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        head = b"".join([b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)])
        cycle.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], head, body))
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


class Straight:
    """The way past the app. Not for several threads."""

    def __init__(self, front: Front, access: Access, work: Work, max_body: int) -> None:
        self._front, self._access, self._work = front, access, work
        self._largest = min(SMALL, max_body)
        self._whole: deque[Call] = deque()  # whose bodies have come
        self._now: Call | None = None  # the one that is read
        self._busy = False

    def takes(self, cycle: RequestResponseCycle) -> bool:
        """Whether a request is, by its head, a plain call."""
        scope = cycle.scope
        if scope["path"] != CLASSIFY.path or scope["method"] != "POST" or cycle.waiting_for_100_continue or cycle.flow.write_paused:
            return False
        sizes = [value for name, value in scope["headers"] if name == b"content-length"]
        return len(sizes) == 1 and int(sizes[0]) <= self._largest

    def admit(self, cycle: RequestResponseCycle) -> Call | None:
        """Let a plain call in, to be answered when its body has come; None for one that was refused at once."""
        scope = cast("Scope", cycle.scope)
        scope["route"] = CLASSIFY
        visit, refused = self._front.arrive(scope)
        call = Call(cycle, scope, visit)
        if refused:
            call.send(*_refused(refused))
            self._front.account(scope, visit)
            return None
        self._front.enter(visit)
        return call

    def answer(self, call: Call) -> None:
        """Answer a call whose body has come; those that come in the same turn of the loop are read together."""
        self._whole.append(call)
        if not self._busy:
            self._go_on()

    def lost(self, call: Call) -> None:
        """The client went away before its call had come whole."""
        self._front.leave(call.visit)
        self._front.account(call.scope, call.visit)

    def _go_on(self) -> None:
        self._busy = bool(self._whole)
        if self._busy:  # a task, since it may wait for the keys, and since it holds what nobody foresaw
            asyncio.get_running_loop().create_task(self._turn()).add_done_callback(self._end)

    async def _turn(self) -> None:
        self._now = self._whole.popleft()
        await self._access.freshen()
        self._work.hold()
        self._ask(self._now)
        while self._whole:
            self._now = self._whole.popleft()
            self._ask(self._now)
        self._now = None
        await self._work.settle()

    def _end(self, turn: asyncio.Task[None]) -> None:
        if turn.cancelled():  # the server ends at once
            return
        error = turn.exception()
        if error and self._now:
            self._fail(self._now, cast("Exception", error))
        self._work.ended(None if self._now else error)
        self._go_on()

    def _ask(self, call: Call) -> None:
        logs.request_id.set(call.visit.id)
        try:
            call.told = self._access.let_in(call.scope)
            self._waiting(call).add_done_callback(partial(self._decided, call))
        except TriageError as error:
            self._close(call, _refused(problems.of(error)))

    def _decided(self, call: Call, waiting: asyncio.Future[bytes]) -> None:
        if waiting.cancelled():  # the client went away
            self.lost(call)
        elif error := waiting.exception():
            self._fail(call, cast("Exception", error))
        else:
            self._close(call, _decision(waiting.result()))

    def _fail(self, call: Call, error: Exception) -> None:
        logs.request_id.set(call.visit.id)
        call.cycle.logger.error("Exception in the straight way", exc_info=error)
        self._close(call, _refused(problems.unforeseen(error)))

    def _close(self, call: Call, answer: Answer) -> None:
        self._front.leave(call.visit)  # first, since who has an answer sends the next call
        call.send(*answer)
        self._front.account(call.scope, call.visit)

    def _waiting(self, call: Call) -> asyncio.Future[bytes]:
        state = call.scope["state"]
        state["caller"].check(keys.CLASSIFY)
        headers = {name: value.decode("latin-1") for name, value in reversed(call.scope["headers"])}
        bodies.check(headers.get(b"content-type", ""), headers.get(b"content-encoding", "identity"))
        letters, batch = schemas.letters_of(bodies.content_of(bytes(call.cycle.body)))
        state["waiting"] = waiting = self._work.decide(state["desk"], letters, batch_of if batch else single_of)
        return waiting


def _decision(answer: bytes) -> Answer:
    return 200, [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json")], answer


def _refused(problem: Response) -> Answer:
    return problem.status_code, problem.raw_headers, bytes(problem.body)
