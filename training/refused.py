"""The rows that were refused, in a table beside the file they came from: corrected there, it can be trained from."""

from __future__ import annotations

import filecmp
from itertools import count
from typing import TYPE_CHECKING

from triage.errors import StorageError
from triage.exports import FORMULA, write_csv
from triage.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from triage.tables import Table

ROW, REASON = "行号", "原因"


def write_refused(path: Path, reasons: Mapping[int, str], taken: set[Path], *, sheet: str = "") -> Path | None:
    """Write the rows of ``reasons`` (row number -> why) with all their columns to ``<stem>.refused.csv`` beside ``path``; returns it.

    Without reasons an earlier one is removed, and None returned. Files in ``taken`` (resolved; the one written is added) are never
    touched. An earlier file that differs, perhaps because a person corrected it, is kept as ``<stem>.refused.old.csv``. Raises StorageError.
    """
    place = _free(path, "refused", taken)
    try:
        if not reasons:
            place.unlink(missing_ok=True)
            return None
        taken.add(place.resolve())
        _replace(place, read_table(path, sheet=sheet), reasons, kept=_free(path, "refused.old", taken))
    except OSError as error:
        raise StorageError(f"{place}: cannot be replaced ({error.strerror or error}). Refused rows stand beside the letters. Free that name.") from error
    return place


def without_apostrophe(cell: str) -> str:
    """A cell as it was before ``write_csv`` kept Excel from running it.

    >>> without_apostrophe("'=1+1"), without_apostrophe("'90年代")
    ('=1+1', "'90年代")
    """
    return cell[1:] if cell.startswith("'") and cell.startswith(FORMULA, 1) else cell


def _free(path: Path, mark: str, taken: set[Path]) -> Path:
    names = (path.with_name(f"{path.stem}.{mark}{f'.{number}' if number > 1 else ''}.csv") for number in count(1))
    return next(place for place in names if place.resolve() not in taken)


def _replace(place: Path, table: Table, reasons: Mapping[int, str], *, kept: Path) -> None:
    fresh = place.with_suffix(".new.csv")
    again = table.columns[:2] == (ROW, REASON)  # a corrected file that is refused in part: its old numbers and reasons go
    columns = [ROW, REASON, *table.columns[2 * again :]]
    try:
        write_csv(fresh, columns, _rows(table, reasons, skip=2 * again))
        if place.exists() and not filecmp.cmp(place, fresh, shallow=False):
            place.replace(kept)
        fresh.replace(place)
    finally:
        fresh.unlink(missing_ok=True)


def _rows(table: Table, reasons: Mapping[int, str], *, skip: int) -> Iterator[list[str]]:
    for row in table.rows:
        if row.number in reasons:
            yield [str(row.number), reasons[row.number], *map(without_apostrophe, row.cells[skip:])]
