"""Letters wait here for the desk of this worker; whatever waits meanwhile is decided together, which costs a third less a letter.

Calls of a few short letters are decided in the event loop, some milliseconds at a time between what is read and written: handing one to a thread and
back takes as long as to decide it. Everything larger goes to a thread, in pieces, each call back to the end of the line after its piece, so a single
letter never waits for a thousand.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from api.figures import Figures
    from triage.desk import Desk
    from triage.letter import Decision, Letter

PIECE = 64  # letters that the thread decides together; 16 cost a fifth more a letter, 256 a sixth less, and keep the others waiting
SHORT = 16_000  # characters that the loop decides at once, in eight milliseconds at most, and under load alone: half as many served 64 clients a tenth worse
LETTER = 100  # characters that an empty letter takes as long as


@dataclass(slots=True, eq=False)
class Call:
    """The letters of one request, the desk that it began with, and what is decided so far."""

    letters: Sequence[Letter]
    desk: Desk
    render: Callable[[list[Decision]], Any]
    done: asyncio.Future[Any]
    decisions: list[Decision] = field(default_factory=list)
    alone: bool = False
    characters: int = field(init=False)  # how much there is to read

    def __post_init__(self) -> None:
        self.characters = sum([LETTER + len(letter.title) + len(letter.body) for letter in self.letters])

    def next(self) -> Sequence[Letter]:
        """The letters that come now."""
        begin = len(self.decisions)
        return self.letters[begin : begin + PIECE]


class Work:
    """What this worker has to decide."""

    def __init__(self, figures: Figures) -> None:
        self._thread = ThreadPoolExecutor(1, "desk")
        self._short = Line(SHORT, lambda call: call.characters, _here, figures)
        self._long = Line(PIECE, lambda call: len(call.next()), self._apart, figures)

    def decide(self, desk: Desk, letters: Sequence[Letter], render: Callable[[list[Decision]], Any]) -> asyncio.Future[Any]:
        """What ``render`` makes of the decisions, in the order of the letters; all of one desk. It is called where they are decided."""
        call = Call(letters, desk, render, asyncio.get_running_loop().create_future())
        line = self._short if call.characters <= SHORT else self._long
        line.put(call)
        return call.done

    def hold(self) -> None:
        """Whoever calls this will call ``settle`` and ``ended`` in the same task: short calls that are handed in meanwhile need no turn of the loop of their own."""
        self._short.hold()

    async def settle(self) -> None:
        """Decide what is short and waits."""
        await self._short.turn()

    def ended(self, error: BaseException | None) -> None:
        """The task is over; ``error`` is what deciding ended with."""
        self._short.ended(error)

    def end(self) -> None:
        """Take no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _apart(self, calls: list[Call]) -> asyncio.Future[list[Any]]:
        return asyncio.get_running_loop().run_in_executor(self._thread, _decide, calls)


class Line:
    """Calls that wait. As many as there is ``room`` for by their ``size`` are decided together, in the order in which they came."""

    def __init__(self, room: int, size: Callable[[Call], int], decide: Callable[[list[Call]], Awaitable[list[Any]]], figures: Figures) -> None:
        self._room, self._size, self._decide, self._figures = room, size, decide, figures
        self._calls: deque[Call] = deque()
        self._now: list[Call] = []
        self._busy = False

    def put(self, call: Call) -> None:
        """Stand last. What is read in the same turn of the loop is decided together."""
        self._calls.append(call)
        if not self._busy:
            self._go_on()

    def hold(self) -> None:
        """Let nobody begin a turn but the caller."""
        self._busy, self._now = True, []

    async def turn(self) -> None:
        """Decide those who come now."""
        self._now = self._next()
        if self._now:
            self._settle(self._now, await self._decide(self._now))

    def _next(self) -> list[Call]:
        """Who comes now: the first in line, and who stands behind with the same desk while there is room."""
        calls: list[Call] = []
        room = self._room
        while self._calls and (not calls or (not self._calls[0].alone and self._calls[0].desk is calls[0].desk and self._size(self._calls[0]) <= room)):
            call = self._calls.popleft()
            if call.done.cancelled():  # its client went away
                continue
            calls.append(call)
            room -= self._room if call.alone else self._size(call)
        return calls

    def ended(self, error: BaseException | None) -> None:
        """A turn is over, by an error or well; go on with those who wait."""
        if error and len(self._now) == 1:
            _answer(self._now[0], error=error)
        elif error:  # one of them failed: let each stand for itself
            for call in reversed(self._now):
                call.alone = True
                self._calls.appendleft(call)
        self._go_on()

    def _go_on(self) -> None:
        self._busy = bool(self._calls)
        if self._busy:
            asyncio.get_running_loop().create_task(self.turn()).add_done_callback(self._end)

    def _end(self, turn: asyncio.Task[None]) -> None:
        if not turn.cancelled():  # as when the server ends at once
            self.ended(turn.exception())

    def _settle(self, calls: list[Call], answers: list[Any]) -> None:
        for call, answer in zip(calls, answers, strict=True):
            if len(call.decisions) < len(call.letters):
                self._calls.append(call)
            else:
                self._figures.add("letters", len(call.decisions))
                self._figures.add("letters_for_review", sum([decision.needs_review for decision in call.decisions]))
                _answer(call, answer)


def _answer(call: Call, answer: Any = None, error: BaseException | None = None) -> None:
    if call.done.done():
        return
    if error:
        call.done.set_exception(error)
    else:
        call.done.set_result(answer)


async def _here(calls: list[Call]) -> list[Any]:
    return _decide(calls)


def _decide(calls: list[Call]) -> list[Any]:
    """Decide the next piece of every call; returns what is rendered of those that are complete."""
    pieces = [call.next() for call in calls]
    decisions = iter(calls[0].desk.decide([letter for piece in pieces for letter in piece]))
    for call, piece in zip(calls, pieces, strict=True):
        call.decisions += [next(decisions) for _ in piece]
    return [call.render(call.decisions) if len(call.decisions) == len(call.letters) else None for call in calls]
