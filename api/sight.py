"""The register as probes see it: one look holds for two seconds, and no probe waits for a register that does not answer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api import logs
from triage.errors import TriageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.opened import Door

LASTING = 2.0  # seconds for which a look holds
PATIENCE = 0.8  # seconds that a probe waits for one: less than the second after which many give up
LATE = 30.0  # seconds after which a look that has not come back says that the register does not answer
BUSY = "register-busy"  # of a register that answers, only not at once: no reason to send letters elsewhere


@dataclass(frozen=True, slots=True)
class Seen:
    """``refused`` is the kind of error for which no letter can be stored, if so, and ``trail`` what is wrong with the end of the audit trail."""

    refused: str = ""
    trail: str = ""


class Sight:
    """What was seen of the register last. Looks are made one at a time, in one of the register's threads, and only when somebody asks."""

    def __init__(self, door: Door, clock: Callable[[], float] = time.monotonic) -> None:
        self._door, self._clock = door, clock
        self._seen = Seen("register-unreachable")  # until it was
        self._began = -LASTING
        self._looking: asyncio.Task[None] | None = None

    async def now(self) -> Seen:
        """The register of this moment, or that of the last look while another takes long."""
        if self._looking is None or (self._looking.done() and self._clock() - self._began >= LASTING):
            self._began = self._clock()
            self._looking = asyncio.create_task(self._look())
        if not self._looking.done():
            await asyncio.wait({self._looking}, timeout=PATIENCE)
        is_late = not self._looking.done() and self._clock() - self._began > LATE
        return Seen("register-unreachable") if is_late else self._seen

    async def _look(self) -> None:
        try:
            trail = await self._door.call(self._door.look)
            self._note(Seen("", trail), trail)
        except TriageError as error:
            self._note(Seen("", self._seen.trail) if error.kind == BUSY else Seen(error.kind), str(error))

    def _note(self, seen: Seen, why: str) -> None:
        """The log says why, when that changes; a probe's answer is for everybody and tells no path and no server."""
        if seen != self._seen and (seen.refused or seen.trail):
            logs.write("error", "register degraded" if seen.trail else "register refused", why=why)
        self._seen = seen
