"""Writing that a kill cannot tear and two writers cannot mix: flush, rename, lock."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"
PATIENCE = 60.0  # seconds; a change takes a tenth of one


@contextmanager
def locked(folder: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """One writer at a time in ``folder``, over all threads and processes of this machine; readers never wait. A kill gives the lock back.

    Not to be entered again by who holds it. Raises OSError when the folder is not there or another writer keeps it for ``patience`` seconds.

    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with locked(folder):
    ...     replace(folder / "note.txt", b"whole")
    >>> (folder / "note.txt").read_bytes()
    b'whole'
    """
    handle = os.open(folder / LOCK, os.O_RDONLY | os.O_CREAT, 0o666)
    try:
        _wait(folder, handle, patience)
        yield
    finally:
        os.close(handle)


def _wait(folder: Path, handle: int, patience: float) -> None:
    import fcntl  # not on every system, and readers do not need it

    deadline = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"another program has been writing to {folder} for {patience:g} seconds") from None
            time.sleep(0.01)


def replace(path: Path, content: bytes) -> None:
    """Put a file in place by one rename, on the disk before this returns. Only while holding ``locked`` of its folder: the file has one draft."""
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(content)
    flush(draft)
    draft.rename(path)
    flush(path.parent)


def flush(path: Path) -> None:
    """Have the disk itself hold a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
