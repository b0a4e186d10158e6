"""XLSX, XLSM, XLSB, XLS and ODS -> rows of text cells, in a process of its own (see ``triage.sandbox``).

A cell is text as a person reads it: no ``.0`` behind an id, no ``1.2E+17``, dates as ISO 8601. What a merged range shows stands in
each of its cells, because staff merge the category of several letters. Formulas give the value that was saved with them.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage import containers, sandbox
from triage.sandbox import RefusedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CELL = 32_767  # Excel's limit, in UTF-16 units: a text of this length was probably longer
EXACT = 10**15  # Excel keeps 15 digits; an id of 18 is already rounded in the file
NAMED_ROWS = 20
ERRORS = {"#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#N/A"}  # as text: from ODS, or pasted as values
Range = tuple[tuple[int, int], tuple[int, int]]


def read(path: str, wanted: str) -> Iterator[Any]:
    """Facts (sheet, notes), then rows ``[number, cells, problem]`` in lists. Blank rows are left out. Raises RefusedFileError."""
    import python_calamine as calamine

    containers.check(Path(path))
    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            sheet, others = _chosen(book, wanted)
            errors = containers.error_cells(Path(path), sheet.name)
            width, notes = _survey(sheet)
            yield {"sheet": sheet.name, "notes": [*others, *notes], "rows": sheet.height}
            yield from sandbox.batches(_rows(sheet, width, errors))
    except calamine.PasswordError as error:
        raise RefusedFileError(containers.ENCRYPTED, "encrypted-file") from error
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise RefusedFileError(containers.DAMAGED, "damaged-file") from error


def text_of(value: Any) -> str:
    """A cell as text.

    >>> [text_of(value) for value in (123.0, 1.1010119900307123e17, 0.5, True, "00123", datetime(2026, 3, 5), time(14, 20))]
    ['123', '110101199003071230', '0.5', 'TRUE', '00123', '2026-03-05', '14:20:00']
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date | time) else "" if value is None else str(value)


def _number(value: float) -> str:
    exact = Decimal(repr(value))
    return format(exact.to_integral() if exact.is_finite() and exact == exact.to_integral() else exact, "f")


def _chosen(book: Any, wanted: str) -> tuple[Any, list[str]]:
    """The sheet that was asked for, else the first that shows anything, hidden ones last; and which were passed over."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    worksheets = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    names = [sheet.name for sheet in sorted(worksheets, key=lambda sheet: sheet.visible != SheetVisibleEnum.Visible)]
    listed = ", ".join(f'"{name}"' for name in names)
    if wanted and wanted not in names:
        raise RefusedFileError(f'there is no sheet "{wanted}". Its sheets are {listed or "none"}. Name one of them.', "unknown-sheet")
    for name in [wanted] if wanted else names:
        sheet = book.get_sheet_by_name(name)
        if next(_filled(sheet), None):
            others = ", ".join(f'"{other}"' for other in names if other != name)
            return sheet, [f"sheets not read: {others}"] if others else []
    raise RefusedFileError(f"its sheets ({listed or 'none'}) hold no rows. A header and one row a letter is needed. Name another file or sheet.", "empty-file")


def _filled(sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    """``(row number, values)`` of the rows that hold anything; sheets carry tens of thousands of blank rows that someone once formatted."""
    for number, values in enumerate(sheet.iter_rows(), 1):
        if not all(map(_is_blank, values)):
            yield number, values


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _survey(sheet: Any) -> tuple[int, list[str]]:
    """How many columns hold anything, and what a person should know about the sheet."""
    width, rounded, filled, last = 0, [], 0, 0
    for number, values in _filled(sheet):
        filled, last = filled + 1, number
        width = max(width, len(values) - next(index for index, value in enumerate(reversed(values)) if not _is_blank(value)))
        if any(isinstance(value, int | float) and abs(value) >= EXACT for value in values):
            rounded.append(number)
    notes = [f"blank rows skipped: {last - filled:,}"] if last > filled else []
    if rounded:
        named = ", ".join(map(str, rounded[:NAMED_ROWS])) + (f" and {len(rounded) - NAMED_ROWS:,} more" if len(rounded) > NAMED_ROWS else "")
        notes.append(f"precision lost: numbers of more than 15 digits, which Excel rounds, in row {named}; keep such ids as text")
    return width, notes


def _rows(sheet: Any, width: int, errors: dict[int, list[str]]) -> Iterator[tuple[int, list[str], str]]:
    waiting: list[Range] = sorted(sheet.merged_cell_ranges or (), reverse=True)
    shown: dict[int, tuple[int, int, str]] = {}  # first column of a merged range -> its last row, its last column, what it shows
    left = sheet.start[1] if sheet.start else 0
    for number, values in _filled(sheet):
        cells = list(map(text_of, values[:width]))
        while waiting and waiting[-1][0][0] < number:
            (top, first), (bottom, last) = waiting.pop()
            if top == number - 1 and left <= first < left + width:
                shown[first - left] = (bottom, last - left, cells[first - left])
        _fill(cells, number, shown)
        yield number, cells, _problem(cells, errors.get(number, ()))


def _fill(cells: list[str], number: int, shown: dict[int, tuple[int, int, str]]) -> None:
    for first, (bottom, last, text) in list(shown.items()):
        if bottom < number - 1:
            del shown[first]
        else:
            width = min(last + 1, len(cells)) - first
            cells[first : first + width] = [text] * width


def _problem(cells: list[str], errors: Any) -> str:
    if errors:
        return f"cell {', '.join(errors[:5])} holds an Excel error (such as #REF! or #DIV/0!)"
    for column, cell in enumerate(cells, 1):
        if cell in ERRORS:
            return f"column {column} holds an Excel error ({cell})"
        if len(cell) * 2 >= MAX_CELL and len(cell.encode("utf-16-le", "replace")) // 2 >= MAX_CELL:
            return f"column {column} holds {MAX_CELL:,} characters, the most that Excel keeps: its text was probably cut off"
    return ""


if __name__ == "__main__":
    sandbox.serve(read)
