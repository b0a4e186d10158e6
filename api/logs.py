"""The log: one JSON object a line, on standard error. It holds ids, sizes and times, and never a word of what was sent.

What other libraries log is kept as their template, without its values, and an exception as its kind and where it came from, without its
message: either may quote a letter.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
import traceback
from collections import deque
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from triage.privacy import mask

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
STANDARD_ERROR = 2
WAITING = 20_000  # lines that wait for whoever reads the log; more are lost and counted
FRAMES = 12  # of an exception, the innermost
TEMPLATE = 200  # characters

request_id: ContextVar[str] = ContextVar("request_id", default="")
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,63}")


def new_or(given: bytes) -> str:
    r"""A caller's request id where it is harmless: 64 plain characters that are no personal number; otherwise a new one.

    >>> new_or(b"intake-7f3a"), len(new_or(b"line\nbreak")), len(new_or(b"13800000000"))
    ('intake-7f3a', 16, 16)
    """
    text = given.decode("latin-1")
    return text if _SANE.fullmatch(text) and mask(text) == text else secrets.token_hex(8)


class Log:
    """Where lines go. Until ``begin`` they are written at once; then by a thread, so that a log that nobody reads holds up no answer."""

    def __init__(self, to: int = STANDARD_ERROR) -> None:
        self._to = to
        self.level = LEVELS["info"]
        self._always: dict[str, Any] = {}
        self._waiting: deque[bytes] = deque()
        self._wake, self._ended = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._lost: Callable[[], object] = bool

    def begin(self, lost: Callable[[], object], **always: Any) -> None:
        """Write from a thread from now on; ``always`` stands on every line, ``lost`` is called for each one that could not be written."""
        self._always, self._lost = always, lost
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Write what waits, for two seconds at most."""
        self._ended = True
        self._wake.set()
        if self._thread:
            self._thread.join(2.0)

    def write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        """One line, when the level asks for it."""
        if LEVELS[level] < self.level:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._put(orjson.dumps({"time": now, "level": level, "event": event} | fields | self._always, option=orjson.OPT_APPEND_NEWLINE))

    def _put(self, line: bytes) -> None:
        if self._thread is None:
            self._write([line])
        elif len(self._waiting) >= WAITING:
            self._lost()
        else:
            self._waiting.append(line)
            self._wake.set()

    def _run(self) -> None:
        while not self._ended or self._waiting:
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                self._write([self._waiting.popleft() for _ in range(min(len(self._waiting), 64))])

    def _write(self, lines: list[bytes]) -> None:
        rest = b"".join(lines)
        try:
            while rest:
                rest = rest[os.write(self._to, rest) :]
        except OSError:  # the disk is full, or nobody listens: the service goes on
            for _ in lines:
                self._lost()


LOG = Log()


def write(level: str, event: str, **fields: Any) -> None:
    """One line of this process's log."""
    LOG.write(level, event, fields)


def listen(level: str) -> None:
    """Log from this level on, and take in what other libraries log."""
    LOG.level = LEVELS[level]
    logging.root.handlers = [_Others()]
    logging.root.setLevel(LOG.level if level != "info" else logging.WARNING)  # their every step is for debugging
    logging.getLogger("numba").setLevel(logging.WARNING)  # tells of every instruction that it compiles
    logging.raiseExceptions = False


class _Others(logging.Handler):
    """Takes in what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next(name for name, number in reversed(LEVELS.items()) if number <= max(record.levelno, 10))
        error = record.exc_info[1] if record.exc_info else None
        LOG.write(level, "library", {"logger": record.name, "says": str(record.msg).partition("\n")[0][:TEMPLATE]} | (_where(error) if error else {}))


def _where(error: BaseException) -> dict[str, Any]:
    """An exception's kind and the places that it came through."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return {
        "error": type(error).__name__,
        "id": request_id.get(),
        "through": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }
