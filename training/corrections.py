"""The list that a clerk corrects: every labelled letter, the most doubtful first, in a workbook that trains as it stands."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from triage.exports import MAX_CELL, MAX_ROWS, write_csv, write_xlsx

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from training.checks import Findings
    from training.labelled import LabelledLetter

    Row = dict[str, str]

ALWAYS = ("问题", "建议类别", "把握", "文件", "行号", "类别")
COLUMNS = (*ALWAYS, "第二类别", "目的", "标题", "正文", "编号", "来信人", "权重")  # from 类别 on as training.labelled finds them
WRONG, CONFLICT, DISPUTED, COPY = "标签可能有误", "同文不同类", "近似重复而类别不同", "近似重复"
_WHERE = re.compile(r'(?P<file>.*?)(?: sheet "(?P<sheet>.*)")? (?:line|row) (?P<row>\d+)')


def write_list(path: Path, letters: Sequence[LabelledLetter], found: Findings, *, purposes: Mapping[str, str] | None = None) -> Path:
    """Write all letters, most suspicious first, for ``triage train`` to read again once the clerk has corrected 类别; returns where it stands.

    A workbook holds 1,048,575 letters of 32,767 characters; beyond that, or when ``path`` says so, it is .csv. ``purposes`` has the names of
    purposes by code. Raises StorageError.
    """
    problems, names = _problems(letters, found), purposes or {}
    order = np.argsort(-found.suspicion, kind="stable").tolist()
    kept = [column for column in COLUMNS if column in ALWAYS or any(_row(letter, names)[column] for letter in letters)]

    def rows() -> Iterator[list[str]]:
        for at in order:
            row = _row(letters[at], names) | _verdict(letters[at], found, at) | {"问题": "；".join(problems[at])}
            yield [row[column] for column in kept]

    if path.suffix.lower() != ".csv" and _fits(letters):
        write_xlsx(path, kept, rows(), sheet="来信")
        return path
    write_csv(path.with_suffix(".csv"), kept, rows())
    return path.with_suffix(".csv")


def _row(letter: LabelledLetter, purposes: Mapping[str, str]) -> Row:
    """What stands in the columns that a training run reads."""
    return {
        "目的": purposes.get(letter.purpose, letter.purpose),
        "标题": letter.letter.title,
        "正文": letter.letter.body,
        "编号": letter.letter.id,
        "来信人": letter.writer,
        "权重": "" if letter.weight == 1 else f"{letter.weight:g}",
        "第二类别": letter.second,
    }


def _verdict(letter: LabelledLetter, found: Findings, at: int) -> Row:
    where = _WHERE.fullmatch(letter.where)
    file, sheet, number = where.group("file", "sheet", "row") if where else (letter.where, None, "")
    return {
        "建议类别": found.name(found.suggested[at]),
        "把握": f"{found.sure[at]:.2f}" if found.suggested[at] else "",
        "文件": f"{file}（工作表“{sheet}”）" if sheet else file,
        "行号": number,
        "类别": found.name(letter.category),
        "第二类别": found.name(letter.second),
    }


def _problems(letters: Sequence[LabelledLetter], found: Findings) -> dict[int, list[str]]:
    """What is to be said of each letter, in plain words; groups are counted from 1."""
    said: defaultdict[int, list[str]] = defaultdict(list)
    for at in found.wrong:
        said[at].append(WRONG)
    same = {at for letters_of_one_text in found.conflicts for at in letters_of_one_text}
    disputed = set(found.disputed)
    for number, members in enumerate(found.copies, 1):
        for at in members:
            what = CONFLICT if at in same else DISPUTED if members in disputed else COPY
            said[at].append(f"{what}（第{number}组）")
    small = {category: f"类别样本太少（{found.counts[category]}封）" for category in (*found.few, *found.unlearnable)}
    for at, letter in enumerate(letters):
        if letter.category in small:
            said[at].append(small[letter.category])
    return said


def _fits(letters: Sequence[LabelledLetter]) -> bool:
    """Whether an Excel sheet holds all letters whole; its cells are measured in UTF-16 units, at most two a character."""
    cells = (cell for letter in letters for cell in (letter.letter.title, letter.letter.body))
    return len(letters) <= MAX_ROWS and all(2 * len(cell) <= MAX_CELL or len(cell.encode("utf-16-le", "surrogatepass")) <= 2 * MAX_CELL for cell in cells)
