"""Rows of letters -> rows of decisions: a plain function that may run anywhere, on rows from anywhere."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from triage.archive.flat import flat
from triage.letter import MAX_CHARACTERS, Letter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from triage.archive.chunks import Layout, PlainRow
    from triage.archive.flat import Cell
    from triage.desk import Desk
    from triage.letter import Decision

    Refusal = tuple[int, str, str]

BATCH = 32  # letters that the desk reads at a time; 64 to 1,024 cost the same within what the machine moves
UNCLASSIFIED, NO_LEAD = "未分类", "未分办"
BAD_ROW, TOO_LONG, BAD_UNICODE, CRASH = "bad-row", "text-too-long", "invalid-unicode", "worker-crash"
CRASHED = "处理这一行时程序崩溃,已跳过"
DAMAGED = "含有无法辨认的字节"
_CHINESE = (
    (re.compile(r"(\d+) cells under (\d+) columns"), r"有 \1 格,表头有 \2 列"),
    (re.compile(r"a quote that is not closed, or a cell of more than ([\d,]+) characters"), r"引号没有成对,或一格超过 \1 字"),
    (re.compile(r"more than ([\d,]+) characters on one line"), r"一行超过 \1 字"),
    (re.compile("not JSON.*"), "不是 JSON"),
    (re.compile(r"not a JSON object"), "不是 JSON 对象"),
    (re.compile(r"a key stands twice"), "同一个键出现两次"),
    (re.compile(r"half a character .*|bytes that are not UTF-8"), DAMAGED),
    (re.compile(r"(?:cell|column) (\S+) holds an Excel error.*"), r"\1 是 Excel 错误值"),
    (re.compile(r"column (\d+) holds ([\d,]+) characters, the most that Excel keeps.*"), r"第 \1 列有 \2 字,是 Excel 的上限,正文可能被截断"),
)


@dataclass(frozen=True, slots=True)
class Office:
    """Where the desk is opened, and with which model: the one that was live when the job began."""

    home: Path
    version: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """``rows``: cells of the output, in order; ``facts``: counts that add up over parts, and the refused rows."""

    rows: list[list[Cell]]
    facts: dict[str, Any]


def decide_rows(office: Office, layout: Layout, rows: Sequence[PlainRow]) -> Decided:
    """The rows that can be used, each with its decision behind it; the others are refused with their number, a code and a reason."""
    fine: list[PlainRow] = []
    refused: list[Refusal] = []
    for row in rows:
        refusal = _refusal(row, layout)
        if refusal:
            refused.append((row[0], *refusal))
        else:
            fine.append(row)
    decisions = list(_decisions(desk(office), layout, fine))
    cells = [[*_placed(row[1], layout), *layout.source, *flat(decision)] for row, decision in zip(fine, decisions, strict=True)]
    return Decided(cells, _facts(decisions, [(*layout.source[:1], *refusal) for refusal in refused]))


@lru_cache(maxsize=1)
def desk(office: Office) -> Desk:
    """The desk of this process; the model's arrays are mapped, so all processes of a machine share them."""
    from triage.desk import open_desk
    from triage.taxonomy import load, path_of
    from triage.tokens import DICTIONARY, Segmenter

    return open_desk(office.home, load(office.home), Segmenter(path_of(DICTIONARY, office.home)), version=office.version)


def in_chinese(problem: str) -> str:
    """A reader's problem as a clerk reads it.

    >>> in_chinese("2 cells under 3 columns")
    '有 2 格,表头有 3 列'
    """
    for pattern, words in _CHINESE:
        if found := pattern.fullmatch(problem):
            return found.expand(words)
    return f"这一行读不出来:{problem}"


def crashed(layout: Layout, number: int) -> Decided:
    """What stands for a row that ends every process that reads it."""
    return Decided([], _facts([], [(*layout.source[:1], number, CRASH, CRASHED)]))


def joined(decided: Sequence[Decided]) -> Decided:
    """The parts of a chunk that was cut, put together again."""
    return Decided([row for piece in decided for row in piece.rows], add([piece.facts for piece in decided]))


def add(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The facts of several parts as those of one.

    >>> add([{"letters": 2, "domains": {"a": 2}, "refused": []}, {"letters": 1, "domains": {"a": 1}, "refused": [[7]]}])
    {'letters': 3, 'domains': {'a': 3}, 'refused': [[7]]}
    """
    total: dict[str, Any] = {}
    for fact in facts:
        for name, value in fact.items():
            total[name] = dict(Counter(total.get(name, {})) + Counter(value)) if isinstance(value, dict) else total.get(name, type(value)()) + value
    return total


def _refusal(row: PlainRow, layout: Layout) -> tuple[str, str] | None:
    _, cells, problem = row
    if problem:
        code, found, words = problem.partition(": ")
        named = found and re.fullmatch(r"[a-z]+(?:-[a-z]+)+", code)
        return (code, words) if named else (BAD_ROW, in_chinese(problem))
    length = len(cells[layout.text]) + (len(cells[layout.title]) if layout.title >= 0 else 0)
    if length > MAX_CHARACTERS:
        return TOO_LONG, f"正文 {length:,} 字,上限 {MAX_CHARACTERS:,} 字"
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return BAD_UNICODE, DAMAGED
    return None


def _decisions(desk: Desk, layout: Layout, rows: Sequence[PlainRow]) -> Iterator[Decision]:
    letters = [_letter(cells, layout) for _, cells, _ in rows]
    for start in range(0, len(letters), BATCH):
        yield from desk.decide(letters[start : start + BATCH])


def _letter(cells: tuple[str, ...], layout: Layout) -> Letter:
    title = cells[layout.title].strip() if layout.title >= 0 else ""
    return Letter(cells[layout.text], title=title, id=cells[layout.id] if layout.id >= 0 else "")


def _placed(cells: tuple[str, ...], layout: Layout) -> list[Cell]:
    return [cells[place] if place >= 0 else "" for place in layout.places]


def _facts(decisions: Sequence[Decision], refused: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    return {
        "letters": len(decisions),
        "review": sum(decision.needs_review for decision in decisions),
        "domains": dict(Counter(decision.category.domain if decision.category else UNCLASSIFIED for decision in decisions)),
        "departments": dict(Counter(decision.lead.name if decision.lead else NO_LEAD for decision in decisions)),
        "refused": [list(refusal) for refusal in refused],
        "ids": "".join(hashlib.blake2b(decision.letter.encode(), digest_size=8).hexdigest() for decision in decisions if decision.letter),
    }
