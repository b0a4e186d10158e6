"""The log: one JSON object a line, on standard error. It holds ids, sizes and times, and never a word of what was sent.

What other libraries log is kept as their template, without its values, and an exception as its kind and where it came from, without its
message: either may quote a letter.
"""

from __future__ import annotations

import logging
import os
import re
import select
import threading
import time
import traceback
from collections import deque
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from triage.privacy import mask

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
STANDARD_ERROR = 2
WAITING = 20_000  # lines that wait for whoever reads the log; more are lost and counted
TOGETHER = 12  # lines that are written by one call; as many as fit what a pipe takes whole (PIPE_BUF, 4,096 bytes)
FRAMES = 12  # of an exception, the innermost
TEMPLATE = 200  # characters

request_id: ContextVar[str] = ContextVar("request_id", default="")
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,63}")


def sane(given: bytes) -> str:
    r"""A caller's request id where it is harmless: at most 64 plain characters that are no personal number; otherwise nothing.

    >>> sane(b"intake-7f3a"), sane(b"line\nbreak"), sane(b"13800000000")
    ('intake-7f3a', '', '')
    """
    text = given.decode("latin-1")
    return text if _SANE.fullmatch(text) and mask(text) == text else ""


def plain(text: str) -> str:
    """Text that can be written as UTF-8. A path may hold bytes that the locale did not understand.

    >>> plain("/office/" + "信".encode().decode("ascii", "surrogateescape"))
    '/office/信'
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Log:
    """Where lines go. What cannot be written at once waits, up to a bound, so that a log that nobody reads holds up no answer."""

    def __init__(self, to: int = STANDARD_ERROR) -> None:
        self.level = LEVELS["info"]
        self._to, self._watch = to, select.poll()
        self._watch.register(to, select.POLLOUT)
        self._always: dict[str, Any] = {}
        self._waiting: deque[bytes] = deque()
        self._lost: Callable[[], object] = bool
        self._turn = threading.Lock()

    def begin(self, lost: Callable[[], object], **always: Any) -> None:
        """From now on ``always`` stands on every line, and ``lost`` is called for each one that could not be written."""
        self._always, self._lost = always, lost

    def write(self, level: str, event: str, fields: dict[str, Any], *, later: bool = False) -> None:
        """One line, when the level asks for it; ``later`` with others, when there are enough or ``flush`` is called."""
        if LEVELS[level] < self.level:
            return
        line = orjson.dumps(
            {"time": _written(time.time_ns() // 1_000_000), "level": level, "event": event, **fields, **self._always}, option=orjson.OPT_APPEND_NEWLINE
        )
        if len(self._waiting) < WAITING:
            self._waiting.append(line)
        else:
            self._lost()
        if not later or len(self._waiting) >= TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write what waits, as far as it is taken now."""
        with self._turn:
            while self._waiting and self._is_taken():
                self._put([self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER))])

    def _is_taken(self) -> bool:
        """Whether a line can be written without waiting: a pipe has room for PIPE_BUF bytes then, and a file always has."""
        return bool(self._watch.poll(0))

    def _put(self, lines: list[bytes]) -> None:
        rest = b"".join(lines)
        try:
            while rest:
                rest = rest[os.write(self._to, rest) :]
        except OSError:  # the disk is full, or nobody listens: the service goes on
            for _ in lines:
                self._lost()


def _written(milliseconds: int) -> str:
    """A time since 1970 as RFC 3339 has it.

    >>> _written(1_767_225_600_007)
    '2026-01-01T00:00:00.007+00:00'
    """
    seconds, part = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{part:03d}+00:00"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


LOG = Log()


def write(level: str, event: str, **fields: Any) -> None:
    """One line of this process's log."""
    LOG.write(level, event, {name: plain(value) if isinstance(value, str) else value for name, value in fields.items()})


def listen(level: str) -> None:
    """Log from this level on, and take in what other libraries log."""
    LOG.level = LEVELS[level]
    logging.root.handlers = [_Others()]
    logging.root.setLevel(LOG.level if level != "info" else logging.WARNING)  # their every step is for debugging
    logging.getLogger("numba").setLevel(logging.WARNING)  # tells of every instruction that it compiles
    logging.raiseExceptions = False
    threading.excepthook = lambda what: write("error", "unforeseen", **_where(what.exc_value) if what.exc_value else {})


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
