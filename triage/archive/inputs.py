"""The sources of a job, opened: their columns, their rows in chunks, and whether somebody has written in them meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
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
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from triage.archive.plan import Order
    from triage.archive.sources import Source
    from triage.tables import Table

    Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]

OF_A_SOURCE = 10_000_000  # numbers of chunks that a source has for itself, so that nobody need count those of the one before
SMALLEST = 1 << 21  # bytes of a source that are worth a worker of their own


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a source before its rows are read. ``size``: rows, or bytes where ``encoding`` says how, 0 when unknown."""

    columns: tuple[str, ...]
    roles: dict[str, int]
    size: int
    encoding: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """Every ``of``-th chunk of a source: those of which ``first`` is left over. ``number``: of the source's first chunk."""

    source: Source
    folder: Path
    order: Order
    layout: Layout
    number: int
    first: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        """A file name that no other share of the job has."""
        return f"{self.number}-{self.first}-{self.of}"

    def holds(self, number: int) -> bool:
        """Whether a chunk is one of this share's."""
        return 0 <= number - self.number < OF_A_SOURCE and number % self.of == (self.number + self.first) % self.of


def chunks_of(share: Share) -> Iterator[Chunk]:
    """The chunks of a share, cut as ``Inputs.chunks`` cuts them. The source is read to its end. Raises InputError."""
    table = _table(share.source, share.order, share.folder)
    for number, (piece, _) in enumerate(cut(table.rows), share.number):
        if share.holds(number):
            yield Chunk(number, share.layout, piece, 0.0)


class Inputs:
    """The sources of one job. Each is opened once for its columns and once for its rows; a single one only once.

    ``each`` looks at the sources: ``map``, or one that has other machines do it.
    """

    def __init__(self, found: Sequence[Source], order: Order, folder: Path, each: Each = map) -> None:
        self._sources, self._order, self._folder, self._each = found, order, folder, each
        self._stamps = [sources.stamps(source) for source in found]
        self._prints: list[dict[str, Any]] = []
        self._open: Table | None = None

    @property
    def several(self) -> bool:
        """Whether a column says which source a row is from."""
        return len(self._sources) > 1

    def fingerprints(self) -> list[dict[str, Any]]:
        """Names, sizes and checksums of the sources as they are now."""
        self._prints = list(self._each(sources.fingerprint, self._sources))
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
        rows = 0
        sizes = [entry["bytes"] for entry in self._prints]
        for index, (source, shape) in enumerate(zip(self._sources, self._shapes, strict=True)):
            table, self._open = self._open or _table(source, self._order, self._folder), None
            where, read = self._layout(source, shape), 0
            for number, (piece, _) in enumerate(cut(table.rows), index * OF_A_SOURCE):
                rows += len(piece)
                check_rows(rows, form)
                read += _read(piece, shape)
                share = min(read / shape.size, 1.0) if shape.size else 0.0
                yield Chunk(number, where, piece, (sum(sizes[:index]) + sizes[index] * share) / max(sum(sizes), 1))

    def shares(self, slots: int) -> list[Share]:
        """The rows of all sources, shared out among ``slots`` workers by the sources' bytes; letters that are files of their own are not parted."""
        total = max(sum(entry["bytes"] for entry in self._prints), 1)
        found = []
        for index, (source, shape, entry) in enumerate(zip(self._sources, self._shapes, self._prints, strict=True)):
            size = entry["bytes"]
            of = 1 if source.papers else max(min(-(-slots * size // total), -(-size // SMALLEST)), 1)
            whole = Share(source, self._folder, self._order, self._layout(source, shape), index * OF_A_SOURCE)
            found += [replace(whole, first=first, of=of) for first in range(of)]
        return found

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
        if self.several or self._each is not map:
            return list(self._each(partial(_look, self._order, self._folder), self._sources))
        self._open = _table(self._sources[0], self._order, self._folder)
        return [_shape(self._sources[0], self._order, self._open)]

    @cached_property
    def _columns(self) -> list[str]:
        return list(dict.fromkeys(column for shape in self._shapes for column in shape.columns))

    def _layout(self, source: Source, shape: Shape) -> Layout:
        return layout(shape.columns, shape.roles, self._columns, source=(sources.printable(source.name),) if self.several else ())


def check_rows(rows: int, form: str) -> None:
    """Raise InputError for more rows than the output holds."""
    if form == XLSX and rows > MAX_ROWS:
        raise InputError(f"more than {MAX_ROWS:,} rows. Excel holds no more in one sheet. Write .csv instead.", kind="too-many-rows")


def _table(source: Source, order: Order, folder: Path) -> Table:
    sheet, encoding = ("", "") if source.papers else (order.sheet, order.encoding)
    return sources.table(source, folder, sheet=sheet, encoding=encoding)


def _look(order: Order, folder: Path, source: Source) -> Shape:
    return _shape(source, order, _table(source, order, folder))


def _shape(source: Source, order: Order, table: Table) -> Shape:
    given = {} if source.papers else {"text": order.text, "title": order.title, "id": order.id}
    size = table.expected or (_unpacked(source) if table.encoding else 0)
    return Shape(table.columns, letter_columns(table, **given), size, table.encoding, table.notes)


def _read(piece: Sequence[tuple[int, tuple[str, ...], str]], shape: Shape) -> int:
    """How much of a source a piece is, in the unit of its ``size``."""
    if not shape.encoding:
        return len(piece)
    return sum(len("".join(cells).encode(shape.encoding, "replace")) + len(cells) for _, cells, _ in piece)


def _unpacked(source: Source) -> int:
    """The bytes of a text file; 0 where only unpacking it would tell."""
    path = source.paths[0]
    return 0 if source.papers or decoding.is_packed(path) else path.stat().st_size
