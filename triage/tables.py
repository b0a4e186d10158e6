"""A file of letters -> its columns and its rows of text, one at a time, with the number under which a person finds the row.

What a file is, its content says, not its name. Nothing is guessed in silence: what was skipped, filled in or left out is in
``Table.notes``, and a row that cannot be used says why in ``Row.problem``. CSV, TSV, JSON Lines (also as .gz, .bz2, .xz or a .zip of
one file) and Parquet are streamed; a workbook is read whole, by a process with limits (see ``triage.sandbox``).
"""

from __future__ import annotations

import difflib
import re
import stat
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING

from triage import containers, decoding, delimited, records, sandbox
from triage.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    RawRows = Iterator[tuple[int, list[str], str]]

TITLE_ROWS = 5  # rows above the header that may hold the title of the sheet
LONGEST_NAME = 40  # characters of a column's name; longer is a letter's text and is never quoted
ALLOWED = "CSV, TSV, JSON Lines, XLSX, XLS, ODS and Parquet are allowed."
_WEB_PAGE = "a web page saved under a spreadsheet's name (这是网页另存的表格). Open it in Excel or WPS and save it as .xlsx."
_SIGNATURES = (
    (b"PARE", "encrypted Parquet. Write it without encryption."),
    (b"Rar!", "a .rar archive. Unpack it and name the file inside."),
    (b"7z\xbc\xaf", "a .7z archive. Unpack it and name the file inside."),
    (b"\x28\xb5\x2f\xfd", "a .zst archive. Unpack it, or pack it as .gz."),
    (b"PK\x05\x06", "an empty .zip. Name the file with the letters."),
    (b"%PDF", "a PDF. Copy the letters into a table with one row a letter."),
    (b"{\\rtf", "a text document. Copy the letters into a table with one row a letter."),
    (b"\x89PNG", "a picture. Copy the letters into a table with one row a letter."),
    (b"\xff\xd8\xff", "a picture. Copy the letters into a table with one row a letter."),
)
_MARKUP = re.compile(r"\s*<(?:!doctype html|html|head|meta|body|table|\?xml|div|style)\b", re.IGNORECASE)
_UNREADABLE = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row under the header. ``number``: the line on which it starts (CSV, JSON Lines), the sheet's row, the record's place (Parquet, JSON array).

    ``problem`` is empty, or says why the row cannot be used; ``cells`` may then be fewer or more than the columns.
    """

    number: int
    cells: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was opened. ``rows`` can be walked once; ``where`` names the file, and the sheet, in errors.

    ``expected``: how many rows the file says there are, blank ones counted, 0 when it does not say; ``encoding`` is that of a text file.
    """

    path: Path
    where: str
    columns: tuple[str, ...]
    rows: Iterator[Row]
    notes: tuple[str, ...]
    expected: int = 0
    encoding: str = ""


def read_table(path: Path, *, sheet: str = "", encoding: str = "", lenient: bool = False) -> Table:
    r"""Open a file of letters. Raises InputError at once for a file that cannot be read, and from ``rows`` for one that breaks off.

    ``sheet`` names a worksheet (else the first that is not empty), ``encoding`` wins over what the bytes suggest. Blank rows are skipped.
    ``lenient``: damaged bytes (then lone surrogates), unclosed quotes and endless lines cost their rows, not the file.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "letters.csv")
    ...     _ = path.write_text("编号,内容\n007,路灯不亮\n", "utf-8")
    ...     table = read_table(path)
    ...     table.columns, list(table.rows)
    (('编号', '内容'), [Row(number=2, cells=('007', '路灯不亮'), problem='')])
    """
    where = shown(path.name)
    _check_file(path)
    start = decoding.head(path, where)
    if start.startswith((containers.ZIP, containers.OLE, b"PAR1")):
        return _in_sandbox(path, where, start, sheet)
    for signature, what in _SIGNATURES:
        if start.startswith(signature):
            raise InputError(f"{where}: {what} {ALLOWED}", kind="not-a-table")
    if not start.strip(b"\0"):
        raise _empty(where)
    if sheet:
        raise InputError(f'{where}: not a workbook, so there is no sheet "{sheet}". Name the file without a sheet.', kind="unknown-sheet")
    return _text_table(path, where, encoding, lenient=lenient)


def find_column(columns: Sequence[str], names: Sequence[str], *, given: str = "", where: str, meaning: str) -> int | None:
    """The index of the column that a person named (``given``), else of the first of ``names`` that is there, else None.

    Case, blanks and full-width forms do not matter. Raises InputError when ``given`` is not there, or when two columns fit one name.

    >>> find_column(["编号", "信件 内容"], ["内容", "信件内容"], where="letters.csv", meaning="text")
    1
    >>> find_column(["编号"], ["内容"], where="letters.csv", meaning="text") is None
    True
    """
    if given in columns:
        return list(columns).index(given)
    folded = [_folded(column) for column in columns]
    for name in [given] if given else names:
        fitting = [index for index, column in enumerate(folded) if column == _folded(name)]
        if len(fitting) > 1:
            candidates = ", ".join(_quoted(columns[index], index) for index in fitting)
            raise InputError(f"{where}: {len(fitting)} columns may be the {meaning}: {candidates}. Name one of them.", kind="ambiguous-column")
        if fitting:
            return fitting[0]
    if given:
        near = difflib.get_close_matches(_folded(given), folded, 1, 0.5)
        hint = f" (nearest {_quoted(columns[folded.index(near[0])], folded.index(near[0]))})" if near else ""
        raise InputError(f'{where}: no column "{given}" for the {meaning}{hint}. {listed(columns)} Name one of them.', kind="unknown-column")
    return None


def listed(columns: Sequence[str]) -> str:
    """The columns as a sentence for an error; what is too long for a name is measured, not quoted.

    >>> listed(["编号", "内容"])
    'Its columns are "编号", "内容".'
    """
    return f"Its columns are {', '.join(map(_quoted, columns[:30], range(30)))}{' and more' if len(columns) > 30 else ''}."


def shown(name: str) -> str:
    r"""A file's name without what would break a line, reorder it, or not print.

    >>> shown("来信\u202e\n.csv")
    '来信??.csv'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _check_file(path: Path) -> None:
    try:
        facts = path.stat()
        kind = next((name for matches, name in _UNREADABLE if matches(facts.st_mode)), "")
        if not kind:
            path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        raise InputError(f"{shown(str(path))}: {reason}. A file that this program may read is needed. Check the path.", kind="file-not-read") from error
    if kind:
        raise InputError(f"{shown(str(path))}: {kind}, not a file. {ALLOWED} Name a file.", kind="file-not-read")
    if not facts.st_size:
        raise _empty(shown(path.name))


def _empty(where: str) -> InputError:
    return InputError(f"{where}: the file is empty. A header and one row a letter is needed. Name another file, or export it again.", kind="empty-file")


def _text_table(path: Path, where: str, given: str, *, lenient: bool) -> Table:
    encoding, notes = decoding.recognise(path, where, given, lenient=lenient)
    with decoding.open_text(path, encoding, lenient=lenient) as file:
        start = file.read(4096).lstrip("\ufeff \t\r\n\0")
    if _MARKUP.match(start):
        raise InputError(f"{where}: {_WEB_PAGE} {ALLOWED}", kind="not-a-table")
    if re.match(r"\[\s*[{\]]", start):
        return replace(_table(path, where, notes, records.array_rows(path, encoding, where)), encoding=encoding)
    reader = records.rows if re.match(r'\{\s*["}]', start) else delimited.rows
    return replace(_table(path, where, notes, reader(path, encoding, where, lenient=lenient)), encoding=encoding)


def _in_sandbox(path: Path, where: str, start: bytes, sheet: str) -> Table:
    if decoding.is_packed(path):
        raise InputError(f"{where}: a packed workbook. Unpack it first: packed files are read for CSV, TSV and JSON Lines.", kind="not-a-table")
    is_parquet = start.startswith(b"PAR1")
    arguments = ("triage.parquet", where, str(path.absolute())) if is_parquet else ("triage.spreadsheets", where, str(path.absolute()), sheet)
    messages = sandbox.messages(*arguments)
    facts = next(messages)
    named = f'{where} sheet "{shown(facts["sheet"])}"' if "sheet" in facts else where
    rows = (row for batch in messages for row in batch)
    return replace(_table(path, named, tuple(facts["notes"]), rows), expected=facts["rows"])


def _table(path: Path, where: str, notes: Sequence[str], rows: RawRows) -> Table:
    filled = (row for row in rows if row[2] or any(map(str.strip, row[1])))
    first = list(islice(filled, TITLE_ROWS + 1))
    if not first:
        raise _empty(where)
    at = _header(first)
    columns = _names(first[at][1])
    notes = [*notes, *(f"row {number} is taken for a title, not for the header" for number, _, _ in first[:at])]
    if len(columns) == 1:
        notes.append("one column only")
    return Table(path, where, columns, _checked(chain(first[at + 1 :], filled), len(columns)), tuple(notes))


def _header(first: list[tuple[int, list[str], str]]) -> int:
    """The first row, unless it shows one text only and a row of several short ones, the names, follows."""
    for index, (_, cells, _) in enumerate(first):
        if len(set(filter(None, map(str.strip, cells)))) > 1:
            at = index if max(map(len, cells)) <= LONGEST_NAME else 0
            return at + _is_group_row(first[at : at + 2])
    return 0


def _is_group_row(rows: list[tuple[int, list[str], str]]) -> bool:
    """Whether a row only names groups of columns (merged cells: one text side by side), and the names stand in the next: all different, no figures."""
    if len(rows) < 2:
        return False
    (_, groups, _), (_, names, _) = rows
    merged = any(left.strip() and left == right for left, right in pairwise(groups))
    plain = all(name.strip() and len(name) <= LONGEST_NAME and not any(map(str.isdigit, name)) for name in names)
    return merged and plain and len(set(names)) == len(names) >= len(groups)


def _names(header: Sequence[str]) -> tuple[str, ...]:
    """Names without blanks and marks around them; what is empty or stands twice gets its place, so that each can be named."""
    names = [cell.strip("\ufeff\u200b\0 \t\r\n\u3000\xa0") for cell in header]
    count = Counter(map(_folded, names))
    return tuple(f"{name} (column {place})".strip() if not name or count[_folded(name)] > 1 else name for place, name in enumerate(names, 1))


def _checked(rows: RawRows, width: int) -> Iterator[Row]:
    for number, cells, problem in rows:
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        wrong = "" if len(cells) == width else f"{len(cells)} cells under {width} columns"
        yield Row(number, tuple(cell.replace("\0", "") if "\0" in cell else cell for cell in cells), problem or wrong)


def _folded(name: str) -> str:
    """A name as ``find_column`` compares it; ``_names`` put the place behind names that stand twice."""
    plain = re.sub(r" \(column \d+\)$", "", name)
    return "".join(unicodedata.normalize("NFKC", plain).casefold().split()).strip("\ufeff\u200b")


def _quoted(column: str, index: int) -> str:
    return f'"{shown(column)}"' if len(column) <= LONGEST_NAME else f"column {index + 1} ({len(column)} characters)"
