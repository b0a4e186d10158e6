"""The sources of a job, opened: their columns, their rows in chunks, and whether somebody has written in them meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from triage import decoding
from triage.archive import sources
from triage.archive.chunks import Chunk, Layout, cut, layout
from triage.archive.flat import headers
from triage.archive.parts import XLSX
from triage.columns import letter_columns
from triage.errors import InputError
from triage.exports import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from triage.archive.plan import Order
    from triage.archive.sources import Source
    from triage.tables import Table


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a source before its rows are read. ``size``: rows, or bytes where ``encoding`` says how, 0 when unknown."""

    columns: tuple[str, ...]
    roles: dict[str, int]
    size: int
    encoding: str
    notes: tuple[str, ...]


class Inputs:
    """The sources of one job. Each is opened once for its columns and once for its rows; a single one only once."""

    def __init__(self, found: Sequence[Source], order: Order, folder: Path) -> None:
        self._sources, self._order, self._folder = found, order, folder
        self._stamps = [sources.stamps(source) for source in found]
        self._prints: list[dict[str, Any]] = []
        self._open: Table | None = None

    @property
    def several(self) -> bool:
        """Whether a column says which source a row is from."""
        return len(self._sources) > 1

    def fingerprints(self) -> list[dict[str, Any]]:
        """Names, sizes and checksums of the sources as they are now."""
        self._prints = list(map(sources.fingerprint, self._sources))
        return self._prints

    def columns(self) -> list[str]:
        """The columns of the output: those of all sources in the order of appearance, then those that the job adds. Raises InputError."""
        return [*map(sources.printable, self._columns), *headers(self._columns, language=self._order.headers, sources=self.several)]

    @property
    def notes(self) -> list[str]:
        """What a person should know: encodings, skipped rows, columns of the decision that had to take another name."""
        found = [f"{source.name}: {note}" for source, shape in zip(self._sources, self._shapes, strict=True) for note in shape.notes]
        added = headers(self._columns, language=self._order.headers, sources=self.several)
        usual = headers((), language=self._order.headers, sources=self.several)
        return found + [f"输入已有“{before}”列,分办意见的这一列叫“{name}”" for before, name in zip(usual, added, strict=True) if before != name]

    def chunks(self, form: str) -> Iterator[Chunk]:
        """All rows in order. A chunk never holds rows of two sources. Raises InputError for more rows than Excel holds."""
        number = rows = 0
        sizes = [entry["bytes"] for entry in self._prints]
        for index, (source, shape) in enumerate(zip(self._sources, self._shapes, strict=True)):
            table, self._open = self._open or self._table(source), None
            where, read = self._layout(source, shape), 0
            for piece, _ in cut(table.rows):
                rows += len(piece)
                if form == XLSX and rows > MAX_ROWS:
                    raise InputError(f"more than {MAX_ROWS:,} rows. Excel holds no more in one sheet. Write .csv instead.", kind="too-many-rows")
                read += _read(piece, shape)
                share = min(read / shape.size, 1.0) if shape.size else 0.0
                yield Chunk(number, where, piece, (sum(sizes[:index]) + sizes[index] * share) / max(sum(sizes), 1))
                number += 1

    def check_unchanged(self) -> None:
        """Raise InputError when a source was written in while its letters were decided."""
        for source, before, print_before in zip(self._sources, self._stamps, self._prints, strict=True):
            if sources.stamps(source) != before and sources.fingerprint(source) != print_before:
                raise InputError(
                    f"{source.name}: has changed while its letters were decided. The letters must stay as they are until the job is done. "
                    "Begin anew with --overwrite.",
                    kind="input-changed",
                )

    @cached_property
    def _shapes(self) -> list[Shape]:
        shapes = []
        for source in self._sources:
            table = self._table(source)
            given = {} if source.papers else {"text": self._order.text, "title": self._order.title, "id": self._order.id}
            size = table.expected or (_unpacked(source) if table.encoding else 0)
            shapes.append(Shape(table.columns, letter_columns(table, **given), size, table.encoding, table.notes))
            if not self.several:
                self._open = table
        return shapes

    @cached_property
    def _columns(self) -> list[str]:
        return list(dict.fromkeys(column for shape in self._shapes for column in shape.columns))

    def _table(self, source: Source) -> Table:
        sheet, encoding = ("", "") if source.papers else (self._order.sheet, self._order.encoding)
        return sources.table(source, self._folder, sheet=sheet, encoding=encoding)

    def _layout(self, source: Source, shape: Shape) -> Layout:
        return layout(shape.columns, shape.roles, self._columns, source=(sources.printable(source.name),) if self.several else ())


def _read(piece: Sequence[tuple[int, tuple[str, ...], str]], shape: Shape) -> int:
    """How much of a source a piece is, in the unit of its ``size``."""
    if not shape.encoding:
        return len(piece)
    return sum(len("".join(cells).encode(shape.encoding, "replace")) + len(cells) for _, cells, _ in piece)


def _unpacked(source: Source) -> int:
    """The bytes of a text file; 0 where only unpacking it would tell."""
    path = source.paths[0]
    return 0 if source.papers or decoding.is_packed(path) else path.stat().st_size
