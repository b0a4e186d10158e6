"""Rows -> a file for Excel: whole or not at all, and no cell of it runs.

Staff open these files with a double click. A letter may begin with ``=`` or ``@``, on purpose or not; CSV gives such a cell an
apostrophe in front, which Excel shows, and XLSX stores every cell as text.
"""

from __future__ import annotations

import csv
import re
import tempfile
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.disk import flush
from triage.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
MAX_CELL = 32_767  # UTF-16 units in a cell of Excel
MAX_ROWS = 1_048_575  # under the header
WIDEST, NARROWEST = 60, 8  # characters of a column; longer text is wrapped
NAMED_CUTS = 20
CUT = "……(超过 Excel 单元格上限,已截断)"
_UNWRITABLE = re.compile("[\0\ud800-\udfff\ufffe\uffff]")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """UTF-8 with byte order mark, which Excel needs. Replaces ``path`` at once when all is written. Raises StorageError.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_csv(Path(folder, "out.csv"), ["编号", "内容"], [["1", "=1+1"]])
    ...     Path(folder, "out.csv").read_text("utf-8-sig").split()
    ['编号,内容', "1,'=1+1"]
    """
    with replacing(path) as work, work.open("x", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([harmless(cell) for cell in row] for row in chain([columns], rows))


def write_xlsx(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]], *, sheet: str = "Sheet1") -> tuple[str, ...]:
    """One sheet of text cells, the header bold and always in sight. Replaces ``path`` at once when all is written.

    Returns what did not fit: cells cut to Excel's 32,767 characters. Raises StorageError, InputError for more than 1,048,575 rows.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_xlsx(Path(folder, "out.xlsx"), ["内容"], [["=1+1"], ["长" * 40_000]])
    ('row 3 column "内容": 40,000 characters, cut to 32,767',)
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with replacing(path) as work:
        try:
            with closing(xlsxwriter.Workbook(str(work), options | {"tmpdir": str(work.parent)})) as book:
                cuts = _fill(book, sheet, columns, iter(rows))
        except FileCreateError as error:
            raise OSError(*error.args[0].args) from error
    return (*cuts[:NAMED_CUTS], *([f"and {len(cuts) - NAMED_CUTS:,} more cells cut"] if len(cuts) > NAMED_CUTS else []))


def _fill(book: Any, name: str, columns: Sequence[str], rows: Iterator[Sequence[str]]) -> list[str]:
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    plain = book.add_format({"text_wrap": True, "valign": "top"})
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    first = list(islice(rows, 50))
    for index in range(len(columns)):
        widest = max((_width(row[index]) for row in [columns, *first] if index < len(row)), default=0)
        sheet.set_column(index, index, min(max(widest + 2, NARROWEST), WIDEST))
    cuts = []
    for number, row in enumerate(chain([columns], first, rows)):
        if number > MAX_ROWS:
            raise InputError(f"{name}: more than {MAX_ROWS:,} rows. Excel holds no more in one sheet. Write CSV instead.", kind="too-many-rows")
        for index, cell in enumerate(row):
            text, length = _fitting(cell)
            sheet.write_string(number, index, text, plain if number else bold)
            if length > MAX_CELL:
                cuts.append(f'row {number + 1} column "{columns[index]}": {length:,} characters, cut to {MAX_CELL:,}')
    return cuts


def _fitting(cell: str) -> tuple[str, int]:
    """The cell, cut if Excel could not hold it, and its length in UTF-16 units."""
    text = _UNWRITABLE.sub("\ufffd", cell)
    units = len(text) + sum(letter > "\uffff" for letter in text) if len(text) * 2 > MAX_CELL else len(text)
    if units <= MAX_CELL:
        return text, units
    kept = text.encode("utf-16-le")[: 2 * (MAX_CELL - len(CUT))].decode("utf-16-le", "ignore")
    return kept + CUT, units


def _width(text: str) -> int:
    """Columns on a screen of the longest line: a Han character fills two."""
    return max((len(line) + sum(letter > "\u2e7f" for letter in line) for line in text[:500].splitlines()), default=0)


def harmless(cell: str) -> str:
    """A cell of a CSV file that no spreadsheet runs.

    >>> harmless("=1+1"), harmless("3-1")
    ("'=1+1", '3-1')
    """
    text = _UNWRITABLE.sub("\ufffd", cell)
    return f"'{text}" if text.startswith(FORMULA) else text


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write beside ``path``, in a folder of its own, that takes its place when all went well. Raises StorageError."""
    try:
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent, ignore_cleanup_errors=True) as folder:
            work = Path(folder, path.name)
            yield work
            flush(work)
            work.replace(path)
        flush(path.parent)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise StorageError(
            f"{path}: cannot be written ({what}). Free space in a folder that this program may write is needed. Choose another place."
        ) from error
