"""The register and its keys as the service holds them: opened when they are first needed, and tried again while they cannot be had."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from triage.errors import RegisterError, StorageError, TriageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from api.settings import Settings
    from triage.register.book import Register
    from triage.register.keys import Key

THREADS = 8  # of calls to the register: they wait for one another there, and the desk's threads must not wait with them
WAITING = 40  # calls that may wait for one of them; more are told to come again, so that letters that are only decided go on
FRESH = 1.0  # seconds for which keys are believed: a revoked one is refused after that
WRITERS = 10.0  # seconds that a call waits for the register's other writers, as triage.register.engine has it
PATIENCE = 1.0  # seconds that a call waits for the keys to be read anew; afterwards those of before hold
SHORTEST, LONGEST = 0.5, 32.0  # seconds between two attempts to open the register, doubled after each

P = ParamSpec("P")
T = TypeVar("T")


class Door:
    """The way to the register. ``call`` is for the event loop, everything else waits."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic, *, patience: float = WRITERS) -> None:
        self._settings, self._clock, self._patience = settings, clock, patience
        self._threads = CapacityLimiter(THREADS)
        self._turn = threading.Lock()
        self._register: Register | None = None
        self._failed: tuple[TriageError, float, float] | None = None

    def check_free(self) -> None:
        """Raise RegisterError ("register-busy") when too many calls wait for the register already."""
        if self._threads.statistics().tasks_waiting >= WAITING:
            raise RegisterError("register: too many calls wait for it. It takes one after another. Try again in a moment.", kind="register-busy")

    async def call(self, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """What ``work`` returns, done in one of the register's own threads; it ends even when nobody waits for it any more."""
        return await run_sync(lambda: work(*arguments, **options), limiter=self._threads)

    def register(self) -> Register:
        """The open register. Raises RegisterError or StorageError at once while the last attempt is not long ago."""
        if self._register:
            return self._register
        with self._turn:
            if self._failed and self._clock() < self._failed[1]:
                raise self._failed[0].with_traceback(None)
            if not self._register:
                self._register = self._opened()
            return self._register

    def _opened(self) -> Register:
        from triage.register.book import open_register

        known = self._settings
        try:
            register = open_register(known.home, known.database.get_secret_value(), known.text_key.get_secret_value(), patience=self._patience)
        except (RegisterError, StorageError) as error:
            step = min(LONGEST, self._failed[2] * 2) if self._failed else SHORTEST
            self._failed = error, self._clock() + step, step
            raise
        self._failed = None
        return register

    def keys(self) -> dict[str, Key]:
        """All keys by their ids; none where no register was ever made, and none is made to look."""
        from triage.register import keys

        return {} if self._is_unused() else {key.id: key for key in keys.known(self.register())}

    def look(self) -> str:
        """What is wrong with the end of the audit trail, empty when all is well or no register was ever made; raises TriageError when no letter can be stored."""
        from triage.register import audit, health

        if self._is_unused():
            return ""
        register = self.register()
        register.check_key()
        health.check_writable(register)
        with register.reading() as connection:
            return audit.end(connection)

    def _is_unused(self) -> bool:
        """Whether there is no register and none is asked for: then letters are only decided. PostgreSQL is always asked for."""
        from triage.register.engine import address

        if self._register:
            return False
        url = address(self._settings.home, self._settings.database.get_secret_value())
        return url.get_backend_name() == "sqlite" and _is_absent(Path(str(url.database)))

    def close(self) -> None:
        """Give the register's connections back."""
        if self._register:
            self._register.close()


def _is_absent(path: Path) -> bool:
    """Whether there is surely no such file: one that cannot be looked at may hold keys."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


class Keyring:
    """The keys as they were a moment ago, so that a call costs no look-up.

    ``known`` are the keys by their ids, None when they could never be read; ``refused`` is why they could not be read last, if so.
    """

    def __init__(self, door: Door, clock: Callable[[], float] = time.monotonic) -> None:
        self._door, self._clock = door, clock
        self.known: Mapping[str, Key] | None = None
        self._read_at = -FRESH
        self._reading: asyncio.Task[None] | None = None
        self.refused: TriageError | None = None

    async def freshen(self) -> None:
        """Read them anew if it is time. While the register does not answer, those of before hold."""
        if self._clock() - self._read_at < FRESH:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        if self.refused is None:  # otherwise nobody waits for a register that did not answer
            await asyncio.wait({self._reading}, timeout=None if self.known is None else PATIENCE)

    async def _read(self) -> None:
        began = self._clock()
        try:
            self.known, self.refused = await self._door.call(self._door.keys), None
        except TriageError as error:
            self.refused, began = error, self._clock()
        self._read_at = began
