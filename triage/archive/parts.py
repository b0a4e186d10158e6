"""A chunk of letters -> a part of the output, whole and on the disk: what a worker does, and what a kill leaves.

A part is a file whose first line tells what is in it, in JSON, and whose rest is ready to be put behind the part before it.
"""

from __future__ import annotations

import csv
import io
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triage.archive.flat import text
from triage.errors import StorageError
from triage.exports import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from triage.archive.chunks import Chunk, Layout, PlainRow
    from triage.archive.deciding import Decided, Office
    from triage.archive.flat import Cell

    Decide = Callable[[Office, Layout, Sequence[PlainRow]], Decided]

CSV, JSONL, XLSX, PARQUET = "csv", "jsonl", "xlsx", "parquet"


@dataclass(frozen=True, slots=True)
class Task:
    """What every chunk of a job shares: where parts go, what they look like, and who decides."""

    folder: Path
    office: Office
    form: str
    columns: tuple[str, ...]
    decide: Decide


def work(task: Task, chunk: Chunk) -> dict[str, Any]:
    """Decide a chunk and put its part in place; returns the part's facts. Raises StorageError."""
    with storing(task.folder):
        trying(task.folder, chunk.number).touch()
    return write_part(task, chunk.number, task.decide(task.office, chunk.layout, chunk.rows))


def write_part(task: Task, number: int, decided: Decided) -> dict[str, Any]:
    """Put a part in place, whole and on the disk, and return its facts. Raises StorageError."""
    import orjson

    facts = {**decided.facts, "part": number}
    place = part(task.folder, number)
    draft = place.with_suffix(f".{secrets.token_hex(8)}")  # two machines may be making the same part
    with storing(task.folder):
        with draft.open("wb") as file:
            file.write(orjson.dumps(facts) + b"\n")
            file.writelines(_payload(task, decided.rows))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(place)
        trying(task.folder, number).unlink(missing_ok=True)
    return facts


def read_facts(folder: Path, number: int) -> dict[str, Any] | None:
    """What a part tells of itself, None when it is not there."""
    import orjson

    try:
        with part(folder, number).open("rb") as file:
            facts: dict[str, Any] = orjson.loads(file.readline())
    except FileNotFoundError:
        return None
    return facts


def part(folder: Path, number: int) -> Path:
    """The file of a part.

    >>> from pathlib import Path
    >>> part(Path("parts"), 7).name
    '000000000007.part'
    """
    return folder / f"{number:012}.part"


def part_numbers(folder: Path) -> list[int]:
    """The numbers of the parts that are there, in order."""
    return sorted(int(place.stem) for place in folder.glob("*.part"))


def trying(folder: Path, number: int) -> Path:
    """A mark that stands while a worker has a chunk in hand: it is left where the worker died."""
    return folder / f"{number:012}.trying"


@contextmanager
def storing(place: Path) -> Iterator[None]:
    """Say what a refused write means for a job. Raises StorageError."""
    try:
        yield
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise StorageError(
            f"{place}: cannot be written ({what}). Free space in a folder that this program may write is needed. "
            "Make room and give the same command again: it goes on where it was."
        ) from error


def _payload(task: Task, rows: Sequence[Sequence[Cell]]) -> Iterator[bytes]:
    import orjson

    if task.form == CSV:
        for row in rows:
            yield csv_line(map(text, row))
    for row in rows if task.form != CSV else ():
        yield orjson.dumps(dict(zip(task.columns, row, strict=True)) if task.form == JSONL else row) + b"\n"


def csv_line(cells: Iterable[str]) -> bytes:
    r"""A row of a CSV file that no spreadsheet runs.

    >>> csv_line(["007", "=1+1"])
    b"007,'=1+1\r\n"
    """
    line = io.StringIO()
    csv.writer(line).writerow([harmless(cell) for cell in cells])
    return line.getvalue().encode()
