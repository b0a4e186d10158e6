"""Parts -> the output, in the order of the parts: CSV, XLSX, JSON Lines or Parquet."""

from __future__ import annotations

import shutil
from itertools import islice
from typing import TYPE_CHECKING, Any

from triage import exports
from triage.archive import flat
from triage.archive.parts import CSV, JSONL, PARQUET, XLSX, csv_line, part, part_numbers
from triage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FORMS = {".csv": CSV, ".jsonl": JSONL, ".xlsx": XLSX, ".parquet": PARQUET}
ROWS_A_GROUP = 20_000  # of a Parquet file
BOM = b"\xef\xbb\xbf"


def form_of(output: Path) -> str:
    """The format that an output's name asks for. Raises UsageError, also where a library is missing.

    >>> from pathlib import Path
    >>> form_of(Path("decisions.CSV"))
    'csv'
    """
    form = FORMS.get(output.suffix.lower())
    if form is None:
        raise UsageError(f'OUTPUT: "{output.suffix}" is no format that is written. {", ".join(FORMS)} are. Give the output one of these endings.')
    if form == PARQUET:
        try:
            import pyarrow as pa  # noqa: F401 (asked for early)
        except ImportError as error:
            raise UsageError("OUTPUT: .parquet needs pyarrow, which is not installed. Install letter-triage[parquet], or write .csv.") from error
    return form


def assemble(folder: Path, draft: Path, columns: Sequence[str], form: str) -> tuple[str, ...]:
    """Write the output from the parts in ``folder``; returns what did not fit. Raises OSError, or StorageError."""
    if form == XLSX:
        return exports.write_xlsx(draft, columns, (list(map(flat.text, row)) for row in _rows(folder)), sheet="分办意见")
    if form == PARQUET:
        _write_parquet(draft, columns, _rows(folder))
        return ()
    with draft.open("wb") as file:
        file.write(BOM + csv_line(columns) if form == CSV else b"")
        for number in part_numbers(folder):
            with part(folder, number).open("rb") as piece:
                piece.readline()
                shutil.copyfileobj(piece, file, 1 << 20)
    return ()


def _rows(folder: Path) -> Iterator[list[Any]]:
    import orjson

    for number in part_numbers(folder):
        with part(folder, number).open("rb") as piece:
            piece.readline()
            yield from map(orjson.loads, piece)


def _write_parquet(draft: Path, columns: Sequence[str], rows: Iterator[list[Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = dict.fromkeys(flat.NUMBERS, pa.float64()) | dict.fromkeys(flat.FLAGS, pa.bool_())
    decision = [kinds.get(field, pa.string()) for field in flat.FIELDS]
    types = [pa.string()] * (len(columns) - len(decision)) + decision
    schema = pa.schema(list(zip(columns, types, strict=True)))
    with draft.open("wb") as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(rows):
            arrays = [pa.array(cells, kind) for cells, kind in zip(zip(*group, strict=True), types, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _groups(rows: Iterator[list[Any]]) -> Iterator[list[list[Any]]]:
    while group := list(islice(rows, ROWS_A_GROUP)):
        yield group
