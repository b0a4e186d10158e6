"""A reader that may be killed: a process of its own, with limits on memory and time, that hands messages back over a pipe.

Workbooks, Parquet, Word documents, PDFs, mails and web pages are read here, because a file of two kilobytes can make their parsers ask for half a terabyte and abort the
whole process (tafia/calamine issue 693). A message is one line of JSON: an object with facts, then lists of rows, then ``null``.
Nothing but JSON comes back, so what a broken file does to the child ends there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEMORY = 2 << 30  # bytes of address space; 50,000 letters in a workbook take a tenth of it
SECONDS = 300  # until the first rows come; afterwards the receiver sets the pace
ROWS_A_MESSAGE = 256
_PROJECT = str(Path(__file__).parent.parent)


class RefusedFileError(Exception):
    """Said in the child: this file is not read, and why; the parent puts the file's name in front."""

    def __init__(self, message: str, kind: str = "unreadable-file") -> None:
        super().__init__(message)
        self.kind = kind


def messages(module: str, where: str, *arguments: str, memory: int = MEMORY, seconds: float = SECONDS) -> Iterator[Any]:
    """Run ``python -m module arguments`` under limits and yield its messages as they come; closing the iterator ends the child.

    Raises InputError in the child's own words, or when it ran out of memory or time or stopped before its last message.
    """
    command = [sys.executable, "-P", "-m", module, str(memory), str(seconds), *arguments]
    path = os.pathsep.join(filter(None, (_PROJECT, os.environ.get("PYTHONPATH"))))
    quiet = {"PYTHONPATH": path, "RUST_BACKTRACE": "0", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | quiet) as child:  # noqa: S603
        try:
            assert child.stdout is not None
            for line in child.stdout:
                message = json.loads(line) if line.endswith(b"\n") else {}
                if message is None:
                    child.wait()
                    return
                if isinstance(message, dict) and "refused" in message:
                    child.wait()
                    raise InputError(f"{where}: {message['refused']}", kind=message["kind"])
                yield message
            status = child.wait()
        finally:
            child.kill()
    raise _stopped(where, status, memory, seconds)


def serve(read: Callable[..., Iterator[Any]]) -> None:
    """In the child: take the limits and arguments from the command line and write what ``read`` yields."""
    memory, seconds, *arguments = sys.argv[1:]
    _confine(int(memory), float(seconds))
    try:
        for message in read(*arguments):
            _send(message)
            give(0)
        _send(None)
    except RefusedFileError as refusal:
        _send({"refused": str(refusal), "kind": refusal.kind})
    except MemoryError:
        os.abort()


def batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    """Rows in lists of at most ``ROWS_A_MESSAGE``.

    >>> [len(batch) for batch in batches(iter(range(600)))]
    [256, 256, 88]
    """
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS_A_MESSAGE:
            yield batch
            batch = []
    if batch:
        yield batch


def give(seconds: float) -> None:
    """In the child: it ends when this much time passes before the next call, or the next message is sent; 0 is no limit."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _send(message: Any) -> None:
    sys.stdout.buffer.write(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()


def _confine(memory: int, seconds: float) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _stopped(where: str, status: int, memory: int, seconds: float) -> InputError:
    if sys.platform != "win32" and status in {-signal.SIGABRT, -signal.SIGKILL}:
        what = f"reading it takes more than {memory >> 20} MiB of memory, often because of one stray cell far below or far to the right"
        return InputError(f"{where}: {what}. Delete the empty rows and columns around the letters, or save as CSV UTF-8.", kind="spreadsheet-too-sparse")
    if sys.platform != "win32" and status == -signal.SIGALRM:
        return InputError(f"{where}: reading it takes longer than {seconds:g} seconds. Split the file, or save as CSV UTF-8.", kind="too-slow-to-read")
    return InputError(
        f"{where}: the reader stopped (status {status}). The file is probably damaged. Save it again, or save as CSV UTF-8.", kind="reader-stopped"
    )
