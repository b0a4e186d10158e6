"""CSV, TSV and text with another delimiter -> rows of cells, one at a time, each with the line on which it starts."""

from __future__ import annotations

import csv
import re
from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING

from triage import decoding
from triage.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

DELIMITERS = ",\t;|，"
MAX_CELL = 1 << 24  # characters; the standard library stops at 131,072, and a letter with an attachment pasted in is longer
SAMPLE_ROWS = 20
UNREADABLE = f"a quote that is not closed, or a cell of more than {MAX_CELL:,} characters"
_DECLARED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_OTHER_DELIMITERS = re.compile(r"[\^~#、:：/\x01-\x08\x1c-\x1f]")


def rows(path: Path, encoding: str, where: str, *, lenient: bool = False) -> Iterator[tuple[int, list[str], str]]:
    """``(line on which the row starts, cells, problem)``, the header first. Raises InputError for a quote that is not closed.

    ``lenient``: such a quote is the problem of the line on which its row starts, and reading goes on with the next line.
    """
    csv.field_size_limit(MAX_CELL)
    lines = decoding.lines(path, encoding, where, lenient=lenient)
    sample = list(islice(lines, 4 * SAMPLE_ROWS))
    declared = _DECLARED.fullmatch(sample[0].lstrip("\ufeff")) if sample else None
    if declared:
        sample[0] = "\n"
    delimiter = declared[1] if declared else sniffed(sample, where)
    parsed = _mended if lenient else _parsed
    yield from parsed(chain(sample, lines), delimiter, where)


def sniffed(sample: list[str], where: str = "file") -> str:
    r"""The delimiter of the header, of ``, tab ; | ，``; among several, the one under which most rows are as wide as the header.

    >>> sniffed(["编号，内容\n", "1，路灯不亮\n"])
    '，'
    >>> sniffed(["id;text,more\n", "1;a, b, c\n", "2;d\n"])
    ';'
    """
    found = {}
    for delimiter in DELIMITERS:
        widths = _widths(sample, delimiter)
        if widths and widths[0] > 1:
            found[delimiter] = (widths.count(widths[0]), widths[0])
    return max(found, key=lambda delimiter: found[delimiter]) if found else _one_column(sample, where)


def _widths(sample: list[str], delimiter: str) -> list[int]:
    widths = []
    try:
        for row in islice(csv.reader(sample, delimiter=delimiter), SAMPLE_ROWS):
            widths += [len(row)] if row else []
    except csv.Error:  # a cell over MAX_CELL: reading in earnest names its line
        pass
    return widths


def _one_column(sample: list[str], where: str) -> str:
    """A file of one column is read as such when its header looks like the name of one."""
    header = next((line.strip() for line in sample if line.strip()), "")
    if len(header) <= 40 and not _OTHER_DELIMITERS.search(header):
        return ","
    raise InputError(
        f"{where}: the first line names no columns ({len(header)} characters without a delimiter). "
        "Comma, tab, semicolon, | and ， are allowed between columns. Save as CSV UTF-8 with a header, or put a line `sep=` with the delimiter first.",
        kind="unknown-delimiter",
    )


def _parsed(lines: Iterable[str], delimiter: str, where: str) -> Iterator[tuple[int, list[str], str]]:
    kept: list[str] = []  # the lines of the row that is being read, to say where its quote opened
    reader = csv.reader(_keeping(lines, kept), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells, ""
            start = reader.line_num + 1
            kept.clear()
    except csv.Error as error:
        raise _broken(where, start, kept, delimiter) from error


def _mended(lines: Iterator[str], delimiter: str, where: str) -> Iterator[tuple[int, list[str], str]]:
    """As ``_parsed``, but for rows under the header: a line that cannot be read costs that line alone."""
    again: deque[str] = deque()
    start, header = 1, True
    while True:
        kept: list[str] = []
        reader = csv.reader(_keeping(_before(again, lines), kept), delimiter=delimiter, strict=True)
        first = start
        try:
            for cells in reader:
                yield start, cells, ""
                header = header and not cells
                start = first + reader.line_num
                kept.clear()
        except csv.Error as error:
            if header:
                raise _broken(where, start, kept, delimiter) from error
            yield start, [], UNREADABLE
        else:
            return
        start += 1
        again.extendleft(reversed(kept[1:]))


def _before(again: deque[str], lines: Iterator[str]) -> Iterator[str]:
    while again:
        yield again.popleft()
    yield from lines


def _keeping(lines: Iterable[str], kept: list[str]) -> Iterator[str]:
    for line in lines:
        kept.append(line)
        yield line


def _broken(where: str, start: int, kept: list[str], delimiter: str) -> InputError:
    opened = _last_opened("".join(kept), delimiter)
    if opened is None:
        return InputError(f"{where} line {start}: a cell is longer than {MAX_CELL:,} characters. Shorten it.", kind="line-too-long")
    before = "".join(kept)[:opened]
    line = start + len(re.findall(r"\r\n|\r|\n", before))
    return InputError(
        f'{where} line {line}: the quote that opens here is not closed. A quote inside a quoted cell is written twice (""). Correct the line, or save as CSV again.',
        kind="unclosed-quote",
    )


def _last_opened(text: str, delimiter: str) -> int | None:
    """Offset of the last quote that opens a cell."""
    opened, at = None, 0
    other = rf"[^\r\n{re.escape(delimiter)}]"
    for cell in re.finditer(rf'"[^"]*+(?:""[^"]*+)*+"?|{other}++|.', text, re.DOTALL):
        if cell[0].startswith('"') and (at == 0 or text[at - 1] in delimiter + "\r\n"):
            opened = at
        at = cell.end()
    return opened
