"""Letters wait here for the desk of this worker. One thread decides; whatever waits meanwhile is decided together, which costs a third less a letter.

A long call is cut into pieces and goes back to the end of the line after each, so a single letter never waits for a thousand.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.figures import Figures
    from triage.desk import Desk
    from triage.letter import Decision, Letter

PIECE = 64  # letters that are decided together; 16 cost a fifth more a letter, 256 a sixth less, and keep the others waiting


@dataclass(slots=True, eq=False)
class Call:
    """The letters of one request, the desk that it began with, and what is decided so far."""

    letters: Sequence[Letter]
    desk: Desk
    render: Callable[[list[Decision]], Any]
    done: asyncio.Future[Any]
    decisions: list[Decision] = field(default_factory=list)
    alone: bool = False

    def next(self) -> Sequence[Letter]:
        """The letters that come now."""
        begin = len(self.decisions)
        return self.letters[begin : begin + PIECE]


class Work:
    """What this worker has to decide."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._line: deque[Call] = deque()
        self._thread = ThreadPoolExecutor(1, "desk")
        self._busy = False

    def decide(self, desk: Desk, letters: Sequence[Letter], render: Callable[[list[Decision]], Any]) -> asyncio.Future[Any]:
        """What ``render`` makes of the decisions, in the order of the letters; all of one desk. It is called in the desk's thread."""
        call = Call(letters, desk, render, asyncio.get_running_loop().create_future())
        self._line.append(call)
        if not self._busy:
            self._begin()
        return call.done

    def end(self) -> None:
        """Take no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        calls = self._next()
        self._busy = bool(calls)
        if calls:
            deciding = asyncio.get_running_loop().run_in_executor(self._thread, _decide, calls)
            deciding.add_done_callback(lambda done: self._end(calls, done))

    def _next(self) -> list[Call]:
        """Who comes now: the first in line, and who stands behind with the same desk while there is room."""
        calls: list[Call] = []
        room = PIECE
        while self._line and (not calls or (not self._line[0].alone and self._line[0].desk is calls[0].desk and len(self._line[0].next()) <= room)):
            call = self._line.popleft()
            if call.done.cancelled():  # its client went away
                continue
            calls.append(call)
            room -= PIECE if call.alone else len(call.next())
        return calls

    def _end(self, calls: list[Call], done: asyncio.Future[list[Any]]) -> None:
        error = done.exception()
        if error and len(calls) > 1:  # one of them: let each stand for itself
            for call in reversed(calls):
                call.alone = True
                self._line.appendleft(call)
        elif error:
            _answer(calls[0], error=error)
        else:
            self._settle(calls, done.result())
        self._begin()

    def _settle(self, calls: list[Call], answers: list[Any]) -> None:
        for call, answer in zip(calls, answers, strict=True):
            if len(call.decisions) < len(call.letters):
                self._line.append(call)
            else:
                self._figures.add("letters", len(call.decisions))
                self._figures.add("letters_for_review", sum(decision.needs_review for decision in call.decisions))
                _answer(call, answer)


def _answer(call: Call, answer: Any = None, error: BaseException | None = None) -> None:
    if call.done.done():
        return
    if error:
        call.done.set_exception(error)
    else:
        call.done.set_result(answer)


def _decide(calls: list[Call]) -> list[Any]:
    """Decide the next piece of every call; returns what is rendered of those that are complete."""
    pieces = [call.next() for call in calls]
    decisions = iter(calls[0].desk.decide([letter for piece in pieces for letter in piece]))
    for call, piece in zip(calls, pieces, strict=True):
        call.decisions += [next(decisions) for _ in piece]
    return [call.render(call.decisions) if len(call.decisions) == len(call.letters) else None for call in calls]
