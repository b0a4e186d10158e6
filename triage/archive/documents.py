"""Letters that are files of their own -> a table with one row a letter: .txt, .md, .docx, .html, .eml, text .pdf, and .zip of them.

The files are read by a process with limits, many files by each, one after the other: memory does not grow with their number. A file
that cannot be read is a row with its problem, of the form ``kind: what is wrong. what to do``; so is one that kills its reader.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from triage import sandbox
from triage.archive import folders
from triage.errors import InputError
from triage.tables import Row, Table, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.archive.folders import Found

COLUMNS = ("文件", "标题", "正文", "附注")
FILES_A_READER = 400 if sys.platform != "win32" else 100  # share the start of a process; their paths fit on its command line
SPOOLED = 256 << 20  # bytes out of a .zip that wait for a reader
SECONDS = 60  # for one letter
MEMORY = 1 << 30  # bytes of address space
NAMED = 5
_LIBRARIES = {".docx": "lxml", ".html": "lxml", ".htm": "lxml", ".pdf": "pypdfium2"}
_ENDED = {
    "spreadsheet-too-sparse": "too-large: reading it takes more than {memory} MiB of memory. Save its text alone.",
    "too-slow-to-read": "too-slow-to-read: reading it takes longer than {seconds:g} seconds. Save its text alone.",
}


def read_documents(paths: Sequence[Path], *, spool: Path | None = None) -> Table:
    r"""One row a letter of the files and folders; the row's number is the letter's place among them, and a remark (附注) says what was not read.

    ``spool`` is the folder in which .zip files are unpacked, a few letters at a time (else the system's). Raises InputError when a path
    is not there, when no letter is, and when a library is missing (``not-installed``).

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "来信.txt").write_text("东湖路的路灯不亮", "utf-8")
    ...     list(read_documents([Path(folder)]).rows)
    [Row(number=1, cells=('来信.txt', '', '东湖路的路灯不亮', ''), problem='')]
    """
    where = shown(paths[0].name or str(paths[0])) if len(paths) == 1 else f"{len(paths)} paths"
    notes = _survey(paths, where)
    return Table(paths[0], where, COLUMNS, _rows(paths, spool), notes)


def _survey(paths: Sequence[Path], where: str) -> tuple[str, ...]:
    """What is passed over; names are looked at, files are not opened."""
    count, links, suffixes = Counter[str](), list[str](), set[str]()
    for file in folders.found(paths):
        count[file.skipped] += 1
        suffixes.add(file.path.suffix.lower() if not file.skipped else "")
        if file.skipped == "link" and len(links) < NAMED:
            links.append(shown(file.name))
    if not count[""]:
        raise InputError(f"{where}: no letters in it. .txt, .md, .docx, .html, .eml, .pdf and .zip of them are read. Name another folder.", kind="empty-file")
    _check_libraries(suffixes, where)
    notes = [f"hidden files not read: {count['hidden']:,}"] if count["hidden"] else []
    more = f" and {count['link'] - NAMED:,} more" if count["link"] > NAMED else ""
    return tuple(notes + ([f"links to folders, to nothing or out of the folder not followed: {', '.join(links)}{more}"] if links else []))


def _check_libraries(suffixes: set[str], where: str) -> None:
    for suffix, library in _LIBRARIES.items():
        if suffix in suffixes and importlib.util.find_spec(library) is None:
            raise InputError(
                f"{where}: {suffix} letters need {library}, which is not installed. Run pip install 'letter-triage[documents]'.", kind="not-installed"
            )


def _rows(paths: Sequence[Path], spool: Path | None) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="letters-", dir=spool) as unpacked:
        files = (file for file in folders.unboxed(folders.found(paths), Path(unpacked)) if not file.skipped)
        number = 0
        while batch := _batch(files):
            for number, row in enumerate(_read(batch), number + 1):  # noqa: B020 (goes on counting)
                yield Row(number, row[:4], row[4])
            for file in Path(unpacked).iterdir():
                file.unlink()


def _batch(files: Iterator[Found]) -> list[Found]:
    batch: list[Found] = []
    unpacked = 0
    for file in files:
        batch.append(file)
        unpacked += file.unpacked
        if len(batch) == FILES_A_READER or unpacked > SPOOLED:
            break
    return batch


def _read(files: list[Found]) -> Iterator[tuple[str, ...]]:
    papers = read_papers([str(file.path.absolute()) for file in files if not file.problem])
    for file in files:
        title, text, remark, problem = ("", "", "", file.problem) if file.problem else next(papers)
        yield shown(file.name), title, text, remark, problem


def read_papers(paths: Sequence[str], *, memory: int = MEMORY, seconds: float = SECONDS) -> Iterator[list[str]]:
    """``[title, text, remark, problem]`` of each letter, in order.

    A letter is blamed for the end of its reader only when it was the first that this reader met; else it gets a fresh one.
    """
    rest = list(paths)
    while rest:
        read = 0
        try:
            for paper in sandbox.messages("triage.archive.papers", "letter", str(seconds), *rest, memory=memory, seconds=seconds):
                yield paper
                read += 1
        except InputError as error:
            if not read:
                yield ["", "", "", _ended(error.kind, memory, seconds)]
                read = 1
        rest = rest[read:]


def _ended(kind: str, memory: int, seconds: float) -> str:
    words = _ENDED.get(kind, "reader-stopped: the reader of this letter stopped. The file is probably damaged. Save it again, or save its text alone.")
    return words.format(memory=memory >> 20, seconds=seconds)
