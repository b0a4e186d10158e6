"""Folders and boxes of letters -> one file a letter, in an order that does not change: by name, folder by folder.

A letter is found once and inside the folder that was named: hidden files are passed over, links that lead out of it are not followed,
and a name in a .zip never becomes a path.
"""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from triage import containers
from triage.errors import InputError
from triage.tables import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_ENTRIES = 100_000  # files in one .zip
MAX_ENTRY = 64 << 20  # bytes, unpacked
_OFFICE = re.compile(r"word/|xl/|ppt/|content\.xml$|\[Content_Types\]\.xml$")


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may hold a letter. ``name``: its path under the folder that was named; ``problem`` says why it is not opened.

    ``skipped`` is "hidden" or "link" for what is passed over; it counts as no letter. ``unpacked``: bytes that it takes in the spool.
    """

    name: str
    path: Path
    problem: str = ""
    skipped: str = ""
    unpacked: int = 0


def found(paths: Sequence[Path]) -> Iterator[Found]:
    """The files that were named, and those in the folders that were named. Raises InputError for a path that is not there.

    With several paths a folder's own name stands before the names in it.
    """
    for path in paths:
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
            raise InputError(f"{shown(str(path))}: {reason}. A file or folder of letters is needed. Check the path.", kind="file-not-read") from error
        if is_folder:
            yield from _inside(path, f"{path.resolve().name}/" if len(paths) > 1 else "", path.resolve())
        else:
            yield _file(path, path.name)


def _inside(folder: Path, prefix: str, root: Path) -> Iterator[Found]:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        yield Found(prefix or f"{folder.name}/", folder, f"file-not-read: {error.strerror} (a folder). Check its permissions.")
        return
    for name in names:
        path = folder / name
        if name.startswith((".", "~$")):
            yield Found(prefix + name, path, skipped="hidden")
        elif path.is_symlink() and _leads_out(path, root):
            yield Found(prefix + name, path, skipped="link")
        elif path.is_dir():
            yield from _inside(path, f"{prefix}{name}/", root)
        else:
            yield _file(path, prefix + name)


def _leads_out(link: Path, root: Path) -> bool:
    """Also a link to nothing, and to a folder, whose letters are found where they are."""
    try:
        return link.is_dir() or not link.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return True


def _file(path: Path, name: str) -> Found:
    try:
        problem = "" if stat.S_ISREG(path.stat().st_mode) else "file-not-read: a pipe, a socket or a device. Take it out of the folder."
    except OSError as error:
        problem = f"file-not-read: {error.strerror}. Check the file."
    return Found(name, path, problem)


def unboxed(files: Iterator[Found], spool: Path) -> Iterator[Found]:
    """The same files, but each .zip of letters gives way to the letters in it, written into ``spool`` under numbers.

    Who takes them deletes them. What is wrong with a .zip, or with one name in it, is a problem of that row.
    """
    for file in files:
        if file.problem or not is_box(file.path):
            yield file
        else:
            yield from _entries(file, spool)


def is_box(path: Path) -> bool:
    """Whether a file is a .zip that is not the inside of an office document."""
    try:
        with path.open("rb") as file:
            if file.read(4) != containers.ZIP:
                return False
        with zipfile.ZipFile(path) as box:
            return not any(map(_OFFICE.match, box.namelist()))
    except (OSError, zipfile.BadZipFile, ValueError):
        return path.suffix.lower() == ".zip"


def _entries(file: Found, spool: Path) -> Iterator[Found]:
    try:
        with zipfile.ZipFile(file.path) as box:
            entries = [entry for entry in box.infolist() if not entry.is_dir()]
            if problem := _excess(entries, file.path.stat().st_size):
                yield Found(file.name, file.path, problem)
                return
            for number, (name, entry) in enumerate(sorted(((_name(entry), entry) for entry in entries), key=lambda pair: pair[0])):
                if not re.search(r"(?:^|/)(?:__MACOSX/|\.(?!\.)|~\$)", name):
                    yield _entry(box, entry, f"{file.name}/{name}", spool / f"{number}{_suffix(name)}")
    except (OSError, zipfile.BadZipFile, ValueError):
        yield Found(file.name, file.path, "damaged-file: the .zip is damaged or was cut off. Copy it again.")


def _excess(entries: list[zipfile.ZipInfo], packed: int) -> str:
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) <= MAX_ENTRIES and (unpacked <= containers.SMALL or unpacked <= containers.MAX_RATIO * packed):
        return ""
    what = f"{len(entries):,} files that unpack from {packed:,} to {unpacked:,} bytes"
    return f"archive-too-large: {what}; {MAX_ENTRIES:,} files and {containers.MAX_RATIO} to 1 are allowed. Unpack it and name the folder."


def _name(entry: zipfile.ZipInfo) -> str:
    """A name without the mark of UTF-8 was written by Windows in GBK, and read as code page 437."""
    name = entry.filename
    if not entry.flag_bits & 0x800:
        raw = name.encode("cp437", "replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/")


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else "." * bool(suffix) + "unknown" * bool(suffix)


def _entry(box: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, target: Path) -> Found:
    problem = _refused(entry)
    if not problem:
        try:
            with box.open(entry) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
            how = "is packed in a way that is not read" if isinstance(error, NotImplementedError) else "is damaged"
            problem = f"damaged-file: this part of the .zip {how}. Pack it again."
    return Found(name, target, problem, unpacked=0 if problem else entry.file_size)


def _refused(entry: zipfile.ZipInfo) -> str:
    name = _name(entry)
    if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
        return "refused-entry: its name leads out of the .zip. Pack the letters again."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "refused-entry: a link, not a file. Pack the letters again."
    if entry.flag_bits & 1:
        return f"encrypted-file: {containers.ENCRYPTED}"
    if entry.file_size > MAX_ENTRY:
        return f"too-large: {entry.file_size:,} bytes; {MAX_ENTRY:,} are allowed. Make its pictures smaller."
    return ""
