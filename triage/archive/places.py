"""Files that are not on this machine: an object store, HDFS, a web server, by whatever fsspec has a driver for.

Work is done on a copy in the job's folder, so that a run that breaks off does not depend on the network to go on; the output appears
at its place whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from triage.errors import InputError, StorageError
from triage.tables import shown

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_remote(place: str) -> bool:
    r"""Whether a place is an address, not a path of this machine.

    >>> [is_remote(place) for place in ("s3://office/letters.csv", "hdfs://node:8020/letters", "letters.csv", "C:\\letters.csv", "-")]
    [True, True, False, False, False]
    """
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", place))


def said(place: str) -> str:
    """The place for an error or a log: without password and signature.

    >>> said("ftp://wang:geheim@office.example/letters.csv?signature=abc")
    'ftp://office.example/letters.csv'
    """
    return shown(re.sub(r"(?<=://)[^/@]*@", "", place.partition("?")[0] if is_remote(place) else place))


@contextmanager
def local(place: str, folder: Path) -> Iterator[Path]:
    """The file or folder at a place, as a path of this machine; what is far is brought into ``folder`` and deleted afterwards.

    A copy has the time of its original. Raises InputError when the place cannot be read (``file-not-read``) or a driver is missing
    (``not-installed``).
    """
    if not is_remote(place):
        yield Path(place)
        return
    nest = folder / f"input-{hashlib.sha256(place.encode()).hexdigest()[:16]}"
    shutil.rmtree(nest, ignore_errors=True)  # half a copy of a run that broke off
    nest.mkdir(parents=True)
    try:
        yield _brought(place, nest)
    finally:
        shutil.rmtree(nest)


def expanded(place: str) -> list[str]:
    """The places that fit one with ``*``, ``?`` or ``[…]`` in it, in order; another place is handed back as it is."""
    if not is_remote(place) or not re.search(r"[*?\[]", place):
        return [place]
    try:
        system, path = _opened(place)
        return sorted(system.unstrip_protocol(found) for found in system.glob(path))
    except (OSError, ValueError) as error:
        raise _unread(place, error) from error


def beside(place: str, name: str) -> str:
    """The address of ``name`` in the folder of a far place.

    >>> beside("s3://office/2026/decisions.csv", "decisions.refused.csv")
    's3://office/2026/decisions.refused.csv'
    """
    return f"{place.rpartition('/')[0]}/{name}"


def exists(place: str) -> bool:
    """Whether there is something at a far place already. Raises InputError for no address, StorageError when nobody answers there."""
    system, path = _opened(place)
    try:
        return bool(system.exists(path))
    except (OSError, ValueError) as error:
        raise _unwritten(place, error) from error


def put(source: Path, place: str) -> None:
    """Bring a file to a far place: under another name first, then moved; what stood there is replaced. Raises StorageError."""
    system, path = _opened(place)
    parent, _, name = path.rpartition("/")
    passing = f"{parent}/.{name}.{secrets.token_hex(8)}.part"
    try:
        _upload(system, source, passing, path)
    except (OSError, ValueError) as error:
        _take_away(system, passing)
        raise _unwritten(place, error, f" The output is whole in {shown(str(source))}.") from error


def take_away(place: str) -> None:
    """Delete the file at a far place, if there is one. Raises StorageError."""
    system, path = _opened(place)
    try:
        if system.exists(path):
            system.rm_file(path)
    except (OSError, ValueError) as error:
        raise _unwritten(place, error) from error


def _upload(system: Any, source: Path, passing: str, path: str) -> None:
    if system.isdir(path):
        raise IsADirectoryError(0, "a folder")
    system.put_file(str(source), passing)
    if system.size(passing) != source.stat().st_size:
        raise OSError(0, "only a part arrived")
    system.mv(passing, path)


def _opened(place: str) -> tuple[Any, str]:
    """The file system of a place and the path in it."""
    if "::" in place:
        raise InputError(f"{said(place)}: an address in an address. One file or folder is allowed. Name it alone.", kind="file-not-read")
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise InputError(
            f"{said(place)}: this place needs fsspec, which is not installed. Run pip install 'letter-triage[remote]'.", kind="not-installed"
        ) from error
    try:
        system, path = url_to_fs(place)
    except ImportError as error:
        raise InputError(f"{said(place)}: the driver of this place is not installed ({error}). Install it beside fsspec.", kind="not-installed") from error
    except (OSError, ValueError) as error:
        raise _unread(place, error) from error
    return system, str(path)


def _brought(place: str, nest: Path) -> Path:
    try:
        system, path = _opened(place)
        root = path.rstrip("/")
        top = nest / shown(PurePosixPath(root).name or "letters").replace("..", "?")
        if not system.isdir(path):
            _copy(system, path, top)
            return top
        for found in sorted(system.find(path)):
            _copy(system, found, _beneath(top, found.removeprefix(root)))
    except (OSError, ValueError) as error:
        raise _unread(place, error) from error
    return top


def _beneath(top: Path, name: str) -> Path:
    """A name in an object store is any text; it becomes a path below ``top`` or is refused."""
    parts = [part for part in name.split("/") if part]
    if ".." in parts or any("\0" in part or "\\" in part for part in parts):
        raise OSError(0, "a name in it leads out of the folder")
    return top.joinpath(*parts)


def _copy(system: Any, path: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    system.get_file(path, str(target))
    facts = system.info(path)
    size = facts.get("size")
    if size is not None and size != target.stat().st_size:
        raise OSError(0, "only a part arrived")
    changed = next((facts[key] for key in ("mtime", "LastModified", "last_modified", "modified", "created") if facts.get(key)), None)
    moment = changed.timestamp() if isinstance(changed, datetime) else changed
    if isinstance(moment, int | float):
        os.utime(target, (moment, moment))


def _take_away(system: Any, path: str) -> None:
    with suppress(OSError, ValueError):  # what is wrong with the place is being said
        if system.exists(path):
            system.rm_file(path)


def _unread(place: str, error: Exception) -> InputError:
    return InputError(
        f"{said(place)}: it cannot be read ({_reason(error)}). A file or folder that you may read is needed. Check the address.", kind="file-not-read"
    )


def _unwritten(place: str, error: Exception, whole: str = "") -> StorageError:
    return StorageError(
        f"{said(place)}: the output cannot be put there ({_reason(error)}).{whole} An address at which you may write is needed. "
        "Check the address and your rights, and give the same command again."
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    known = ((FileNotFoundError, "nothing is there"), (PermissionError, "no right to"), (ValueError, "no such address"))
    return next((words for kind, words in known if isinstance(error, kind)), type(error).__name__)
