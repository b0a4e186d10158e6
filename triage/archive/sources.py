"""What was named on the command line -> sources: tables, letters that are files of their own, standard input, addresses of a store.

Standard input and what lies in a store are copied into the job's folder first, so that a job that was killed still has them.
"""

from __future__ import annotations

import glob
import hashlib
import shutil
import zipfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from triage import decoding
from triage.archive import folders, places
from triage.archive.documents import read_documents
from triage.archive.parts import storing
from triage.errors import InputError
from triage.tables import read_table, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.tables import Table

STDIN = "-"
PAPERS = {".txt", ".text", ".md", ".docx", ".html", ".htm", ".eml", ".pdf"}
SPOOLED = "input-"  # what names of copies begin with
STDIN_COPY = f"{SPOOLED}stdin"


@dataclass(frozen=True, slots=True)
class Source:
    """One table, or several letters that are files or folders of them. ``name`` is as it was typed; ``fetch`` says what has to be copied first."""

    name: str
    paths: tuple[Path, ...]
    papers: bool = False
    fetch: str = ""


def find(words: Sequence[str]) -> list[Source]:
    """The sources in the order of the words; a pattern gives its files by name. Raises InputError for what is not there."""
    sources: list[Source] = []
    for word in words:
        if word == STDIN or places.is_remote(word):
            sources += [Source(places.said(place), (), fetch=place) for place in places.expanded(word)]
            continue
        for path in _paths(word):
            is_papers = _is_papers(path)
            if is_papers and sources and sources[-1].papers:
                sources[-1] = Source(sources[-1].name, (*sources[-1].paths, path), papers=True)
            else:
                sources.append(Source(str(path), (path,), papers=is_papers))
    if [source.fetch for source in sources].count(STDIN) > 1:
        raise InputError("-: standard input can be read once. Name - once.", kind="file-not-read")
    return sources


def absolute(source: Source) -> Source:
    """The same source for a program that stands in another folder."""
    return replace(source, paths=tuple(path.absolute() for path in source.paths))


@contextmanager
def fetched(sources: Sequence[Source], folder: Path, stdin: IO[bytes], *, anew: bool = False) -> Iterator[list[Source]]:
    """The same sources, all of them on this machine. Standard input is kept in ``folder`` for the run that goes on, far places are fetched anew.

    ``anew``: standard input may be another than in an earlier run.
    """
    with ExitStack() as copies:
        found = list(sources)
        for number, source in enumerate(sources):
            if source.fetch == STDIN:
                _spool_stdin(stdin, folder / STDIN_COPY, anew=anew)
                found[number] = Source("stdin", (folder / STDIN_COPY,))
            elif source.fetch:
                path = copies.enter_context(places.local(source.fetch, folder))
                found[number] = Source(source.name, (path,), papers=_is_papers(path))
        yield found


def fingerprint(source: Source) -> dict[str, Any]:
    """What must not change while a job lasts: names, sizes and content."""
    digest, size = hashlib.sha256(), 0
    for name, path in _files(source):
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" if source.papers else b"")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
    return {"name": source.name, "bytes": size, "sha256": digest.hexdigest()}


def stamps(source: Source) -> list[tuple[str, int, int]]:
    """Names, sizes and times of a source's files: when they are the same, nobody has written in them."""
    facts = [(name, path.stat()) for name, path in _files(source)]
    return [(name, fact.st_size, fact.st_mtime_ns) for name, fact in facts]


def table(source: Source, folder: Path, *, sheet: str = "", encoding: str = "") -> Table:
    """Open a source. Raises InputError."""
    if source.papers:
        return read_documents(source.paths, spool=folder)
    return read_table(source.paths[0], sheet=sheet, encoding=encoding, lenient=True)


def printable(name: str) -> str:
    """A name as it may stand in a table: what does not print is a question mark."""
    return shown(name).encode("utf-8", "replace").decode()


def _is_papers(path: Path) -> bool:
    """A .zip of one table is that table, packed; another one is a folder in a file."""
    if path.is_file() and zipfile.is_zipfile(path) and folders.is_box(path):
        inside = decoding.only_member(path)
        return inside is None or PurePosixPath(inside.filename).suffix.lower() in PAPERS
    return path.is_dir() or path.suffix.lower() in PAPERS


def _paths(word: str) -> Iterator[Path]:
    path = Path(word)
    if path.exists() or not glob.has_magic(word):
        if not path.exists():
            raise InputError(
                f"{shown(word)}: No such file or directory. A file, a folder or a pattern that fits some is needed. Check the path.", kind="file-not-read"
            )
        yield path
        return
    found = sorted(glob.glob(word, recursive=True))  # noqa: PTH207 (a pattern may begin at the root)
    if not found:
        raise InputError(f"{shown(word)}: no file fits this pattern. Check the pattern.", kind="file-not-read")
    yield from map(Path, found)


def _files(source: Source) -> Iterator[tuple[str, Path]]:
    if not source.papers:
        yield "", source.paths[0]
        return
    for file in folders.found(source.paths):
        if not file.skipped and not file.problem:
            yield file.name, file.path


def _spool_stdin(stdin: IO[bytes], place: Path, *, anew: bool) -> None:
    """Copy standard input; when an earlier run has done so, what comes now must be the same, or nothing."""
    draft = place.with_suffix(".draft")
    with storing(place), draft.open("wb") as copy:
        if not (place.exists() and stdin.isatty()):
            shutil.copyfileobj(stdin, copy, 1 << 20)
    new = draft.stat().st_size
    if not place.exists() or (new and anew):
        with storing(place):
            draft.replace(place)
        return
    if new and _digest(draft) != _digest(place):
        raise InputError(
            "standard input: not the letters that this job began with. A job goes on with the same input. Give the same, or none, or begin anew with --overwrite.",
            kind="input-changed",
        )
    draft.unlink()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
