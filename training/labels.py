"""What a label says: a category's code or name as staff type it, two of them in one cell, or an office's own word. The files as a whole decide."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triage.taxonomy import Category, Purpose

    Entries = Mapping[str, Category] | Mapping[str, Purpose]
    Pair = tuple[str, str]  # the cells of a row, cleaned: label, second label

LONGEST = 30  # characters of a label; a longer one is a letter's text, and is never quoted
NEAR = 0.5  # share of a label's characters that a name must have, in their order, to be suggested
SUGGESTED = 100  # labels for which a name is sought, the most frequent first; with more of them the column is the wrong one
_SEPARATORS = re.compile(r"[;、/|,\n]")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the labels of a row mean: a code and perhaps a second one, or, in Chinese, why they cannot be used."""

    code: str = ""
    second: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """``own``: the labels are none of the taxonomy's. ``unknown``: each label that is refused, the rows that bear it, the nearest name or ""."""

    own: bool
    verdicts: dict[Pair, Verdict]
    unknown: tuple[tuple[str, int, str], ...]


@lru_cache(maxsize=1 << 14)
def clean(label: str) -> str:
    r"""A label as it stands, in NFKC, without blanks around it and what no reader sees.

    >>> clean("　ｗａｇｅｓ\u200b "), clean("Road  works")
    ('wages', 'Road works')
    """
    lines = _UNSEEN.sub("", unicodedata.normalize("NFKC", label)).strip().splitlines()
    return "\n".join(" ".join(line.split()) for line in lines)


def quoted(label: str) -> str:
    """A label in quotes; what is too long for a label is measured, because it may be a letter.

    >>> quoted("讨薪"), quoted("字" * 31)
    ('"讨薪"', '(31 characters)')
    """
    return f'"{label}"' if len(label) <= LONGEST else f"({len(label)} characters)"


def judge(pairs: Counter[Pair], entries: Entries) -> Judged:
    """What each pair of cells means; ``pairs`` counts the rows that bear it, ``entries`` are the taxonomy's categories or purposes.

    The labels are the office's own when fewer than half of the rows bear one of the taxonomy; they are then kept as they stand.
    """
    known = {_key(word): code for code, entry in entries.items() for word in (entry.name, code)}
    bearing = sum(rows for (label, _), rows in pairs.items() if all(_key(part) in known for part in _split(label, known)))
    own = 2 * bearing < pairs.total()
    if own:
        known = _own_labels(pairs)
    labels = {pair: _labels(pair, known, own=own) for pair in pairs}
    unknown = Counter[str]()
    for pair, found in labels.items():
        unknown.update({label: pairs[pair] for label in found if _key(label) not in known})
    refused = tuple((label, rows, _nearest(label, entries) if place < SUGGESTED else "") for place, (label, rows) in enumerate(unknown.most_common()))
    problems = {label: _unknown(label, rows, near) for label, rows, near in refused}
    return Judged(own, {pair: _verdict(found, known, problems) for pair, found in labels.items()}, refused)


def _own_labels(pairs: Counter[Pair]) -> dict[str, str]:
    """Every label as it is most often written; two of them in one cell are no label of their own."""
    labels = Counter[str]()
    for (label, _), rows in pairs.items():
        labels[label] += rows
    known: dict[str, str] = {}
    for label, _ in labels.most_common():
        known.setdefault(_key(label), label)
    for label in labels:
        parts = [_key(part) for part in _SEPARATORS.split(label)]
        if len(parts) > 1 and all(part in known for part in parts):
            del known[_key(label)]
    return known


def _labels(pair: Pair, known: Mapping[str, str], *, own: bool) -> list[str]:
    label, second = pair
    others = _split(second, known) if second else []
    return _split(label, known) + [other for other in others if not own or _key(other) in known]


def _split(cell: str, known: Mapping[str, str]) -> list[str]:
    """The labels in a cell: the whole when it is one, else its parts when one of them is."""
    parts = [part.strip() for part in _SEPARATORS.split(cell) if part.strip()]
    return parts if _key(cell) not in known and any(_key(part) in known for part in parts) else [cell]


def _verdict(labels: list[str], known: Mapping[str, str], problems: Mapping[str, str]) -> Verdict:
    refused = [problems[label] for label in labels if label in problems]
    if refused:
        return Verdict(problem="；".join(refused))
    codes = list(dict.fromkeys(known[_key(label)] for label in labels))
    if len(codes) > 2:
        return Verdict(problem=f"有 {len(codes)} 个类别，最多两个（主要的在前）。请只留一个或两个")
    return Verdict(*codes)


def _unknown(label: str, rows: int, near: str) -> str:
    shown = f"“{label}”" if len(label) <= LONGEST else f"（{len(label)} 个字，可能选错了列）"
    return f"{shown}不在分类表中，共 {rows} 行如此" + (f"，最接近的是“{near}”。" if near else "。") + "请改为分类表中的名称或代码"


def _nearest(label: str, entries: Entries) -> str:
    """The name of the entry most like the label; "" when it has less than half of the label's characters, or another is as much like it."""
    if not 1 < len(_key(label)) <= LONGEST or not entries:
        return ""
    best, *others = sorted(((_likeness(label, entry), entry.name) for entry in entries.values()), reverse=True)
    tied = bool(others) and others[0][0] == best[0]
    return best[1] if best[0][0] >= NEAR and not tied else ""


def _likeness(label: str, entry: Category | Purpose) -> tuple[float, bool, float]:
    """Share of the label's characters that stand in a word for the entry, whether that word names it, and how alike the two are as a whole."""
    covers = filter(None, re.split("[、/,，;；]", getattr(entry, "covers", "")))
    named = [(word, True) for word in (entry.name, entry.code)] + [(word, False) for word in covers]
    scores = []
    for word, names in named:
        matcher = SequenceMatcher(None, _key(label), _key(word), autojunk=False)
        shared = sum(block.size for block in matcher.get_matching_blocks()) / max(len(_key(label)), 1)
        scores.append((matcher.ratio() if word.isascii() else shared, names, matcher.ratio()))
    return max(scores)


@lru_cache(maxsize=1 << 14)
def _key(label: str) -> str:
    """A label as labels are compared: no blanks, no case."""
    return "".join(clean(label).casefold().split())
