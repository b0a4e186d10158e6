"""The register as a file: made whole or not at all, never on a network's file system, never taken for empty when it is damaged."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.disk import flush, locked
from triage.errors import RegisterError, StorageError
from triage.register.engine import sqlite_module

if TYPE_CHECKING:
    from collections.abc import Callable

MAGIC = b"SQLite format 3\0"
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "smb", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs", "fuse.sshfs", "fuse.glusterfs"})
STEP = 2_000  # pages of 4 KiB that are copied before anything else is looked at
MOUNTS = Path("/proc/self/mountinfo")


def prepare(path: Path, make: Callable[[Path], None]) -> None:
    """See that a register can be at ``path``, and have ``make`` make one where there is none; of two processes one waits.

    Raises RegisterError for a network's file system and for a file that is no register, StorageError when the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = file_system(path.parent.resolve(), MOUNTS.read_text("utf-8", "replace") if MOUNTS.is_file() else "")
        if kind in NETWORK:
            raise RegisterError(
                f"register {path}: lies on a network file system ({kind}). SQLite's write-ahead log needs memory that all its users share, so it would be damaged there. "
                "Set TRIAGE_HOME to a local disk, or TRIAGE_DATABASE to a PostgreSQL server.",
                kind="register-on-network",
            )
        if not path.exists():
            _make(path, make)
    except OSError as error:
        raise StorageError(f"register {path}: cannot be made ({error.strerror or error}). The folder must be writable and have room. See to it.") from error
    _check_kind(path)


def file_system(folder: Path, mounts: str) -> str:
    r"""The kind of file system that holds a folder, from the text of /proc/self/mountinfo; empty when it does not say.

    >>> file_system(Path("/srv/office"), "36 35 0:1 / / rw - ext4 /dev/sda rw\n37 36 0:2 / /srv rw shared:1 - nfs4 nas:/srv rw")
    'nfs4'
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, separator, right = line.partition(" - ")
        mounted = left.split()[4:5]
        if not separator or not mounted:
            continue
        point = Path(mounted[0].replace("\\040", " "))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


def _make(path: Path, make: Callable[[Path], None]) -> None:
    with locked(path.parent):
        if path.exists():  # another process made it while this one waited
            return
        draft = path.with_name(f".{path.name}")
        for leftover in (draft, Path(f"{draft}-wal"), Path(f"{draft}-shm")):
            leftover.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # letters are nobody else's to read
        make(draft)
        flush(draft)
        draft.rename(path)
        flush(path.parent)


def _check_kind(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise RegisterError(
            f"register {path}: cannot be read ({error.strerror}). The program needs the right to. See to it.", kind="register-unreadable"
        ) from error
    if start != MAGIC:
        what = "is empty" if not start else "is no SQLite file"
        raise RegisterError(
            f"register {path}: {what}. Nothing was overwritten. A register is never guessed. Move the file away, and run `triage register restore BACKUP`.",
            kind="register-damaged",
        )


def copy(path: Path, target: Path) -> None:
    """A whole copy of a register in use, by SQLite's online backup, written through to the disk."""
    draft = target.with_name(f".{target.name}")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    module: Any = sqlite_module()
    with closing(module.connect(path)) as source, closing(module.connect(draft)) as made:
        source.backup(made, pages=STEP, progress=lambda *_: None)  # between two steps a signal is heard
    flush(draft)
    draft.rename(target)
    flush(target.parent)
