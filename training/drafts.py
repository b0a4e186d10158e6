"""A labelled file -> drafts, one a row, and the rows that cannot be used whatever their label says."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from training.columns import LABEL, PURPOSE, REVIEWED, SECOND, WEIGHT, WRITER, find_columns
from training.labels import clean
from training.refused import without_apostrophe
from triage.columns import ID, TEXT, TITLE
from triage.letter import MAX_CHARACTERS, Letter
from triage.tables import Row, Table, read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Cell = Callable[[str], str]  # role -> what stands in its column, "" without one

NOT_REVIEWED = frozenset({"", "否", "未", "未复核", "待复核", "no", "n", "false", "f", "0", "×", "x"})
MAX_LABEL = 100  # characters, two labels in one cell included
MAX_WEIGHT = 100.0  # a letter that counts for more drowns the others


@dataclass(frozen=True, slots=True)
class Draft:
    """A row that may be used, if its labels are good."""

    number: int
    letter: Letter
    labels: tuple[str, str]
    purpose: str
    writer: str
    weight: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A file while it is read: ``refused`` row number -> reason, ``counts`` of rows, unreviewed, repeats."""

    table: Table
    sha256: str
    columns: dict[str, int]
    notes: list[str]
    drafts: list[Draft] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def read_drafts(path: Path, *, text: str, label: str, sheet: str) -> Reading:
    """The rows of a file, those that cannot be used with the reason. Raises InputError."""
    table = read_table(path, sheet=sheet)
    columns, notes = find_columns(table, text=text, label=label)
    reading = Reading(table, _digest(path), columns, [f"{table.where}: {note}" for note in (*table.notes, *notes)])
    for row in table.rows:
        cell = partial(_cell, row, columns)
        reading.counts["rows"] += 1
        if not row.problem and REVIEWED in columns and clean(cell(REVIEWED)).casefold() in NOT_REVIEWED:
            reading.counts["unreviewed"] += 1
        elif problem := _problem(row, cell):
            reading.refused[row.number] = problem
        else:
            reading.drafts.append(_draft(row, cell, path.stem))
    return reading


def _cell(row: Row, columns: Mapping[str, int], role: str) -> str:
    return without_apostrophe(row.cells[columns[role]]) if role in columns else ""


def _problem(row: Row, cell: Cell) -> str:
    """Why a row cannot be used whatever its label says, "" when it can."""
    if row.problem:
        return f"这一行读不出来：{row.problem}。请改正这一行"
    if (length := len(Letter(cell(TEXT), title=cell(TITLE)).text)) > MAX_CHARACTERS:
        return f"来信有 {length:,} 个字，最多 {MAX_CHARACTERS:,} 个。请删去附件等内容"
    if not any(map(str.isalnum, cell(TEXT))):
        return "正文只有空白或标点。请补上正文" if cell(TEXT).strip() else "正文为空。请补上正文"
    if not clean(cell(LABEL)):
        return "类别为空。请填上类别"
    if (length := len(clean(cell(LABEL)))) > MAX_LABEL:
        return f"类别有 {length} 个字，最多 {MAX_LABEL} 个。请改正，或检查是否选错了列"
    return "" if _weight(cell(WEIGHT)) else f"权重“{cell(WEIGHT)[:20]}”不是大于 0、不超过 {MAX_WEIGHT:g} 的数。请改正或留空"


def _weight(cell: str) -> float:
    """What a letter counts for, 0 when the cell does not say it."""
    try:
        weight = float(clean(cell) or 1)
    except ValueError:
        return 0.0
    return weight if 0 < weight <= MAX_WEIGHT else 0.0


def _draft(row: Row, cell: Cell, stem: str) -> Draft:
    letter = Letter(cell(TEXT), title=cell(TITLE), id=cell(ID).strip() or f"{stem}-{row.number:03d}")
    labels = (sys.intern(clean(cell(LABEL))), sys.intern(clean(cell(SECOND))))
    return Draft(row.number, letter, labels, sys.intern(clean(cell(PURPOSE))), sys.intern(cell(WRITER).strip()), _weight(cell(WEIGHT)))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
