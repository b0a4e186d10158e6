"""A table of letters, cut into chunks: the piece of work that one worker does at a time, and that a kill can cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.columns import ID, TEXT, TITLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from triage.tables import Row

    PlainRow = tuple[int, tuple[str, ...], str]

ROWS = 1_000  # of a chunk: about a second of work
CHARACTERS = 1 << 21  # of a chunk: letters with attachments pasted in must not fill the memory


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of one source become rows of the output.

    ``places``: for each of the output's input columns, the index in the source's row, or -1. ``source`` is written in front of the
    decision where several sources are read. ``title`` and ``id`` are -1 where there is no such column.
    """

    width: int
    places: tuple[int, ...]
    text: int
    title: int = -1
    id: int = -1
    source: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows ``(number, cells, problem)`` in order. ``number`` counts the chunks of a job, ``done`` is the share of the input read with it."""

    number: int
    layout: Layout
    rows: tuple[PlainRow, ...]
    done: float


def layout(header: Sequence[str], roles: Mapping[str, int], columns: Sequence[str], *, source: tuple[str, ...] = ()) -> Layout:
    """How the rows under ``header`` stand under ``columns``, the input columns of the output."""
    at = {name: index for index, name in enumerate(header)}
    places = tuple(at.get(name, -1) for name in columns)
    return Layout(len(header), places, roles[TEXT], roles.get(TITLE, -1), roles.get(ID, -1), source)


def cut(rows: Iterator[Row]) -> Iterator[tuple[tuple[PlainRow, ...], int]]:
    """Rows in pieces of at most ``ROWS`` rows and about ``CHARACTERS`` characters, each with its characters; the same for the same rows.

    >>> from triage.tables import Row
    >>> [(len(piece), characters) for piece, characters in cut(Row(number, ("路灯", "")) for number in range(2_500))]
    [(1000, 2000), (1000, 2000), (500, 1000)]
    """
    piece: list[PlainRow] = []
    characters = 0
    for row in rows:
        piece.append((row.number, row.cells, row.problem))
        characters += sum(map(len, row.cells))
        if len(piece) == ROWS or characters >= CHARACTERS:
            yield tuple(piece), characters
            piece, characters = [], 0
    if piece:
        yield tuple(piece), characters
