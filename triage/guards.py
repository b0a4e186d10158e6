"""Who is accused, is it before a court, is a life in danger: read by rules over words, never from a probability.

One pass over the letter finds every word of ``guards.toml`` and every name of ``departments.toml``; the rules then look at the words in
their clause. Blanks inside words do not hide them. In doubt a rule says so, and a person decides.
"""

from __future__ import annotations

import re
from bisect import bisect, bisect_left
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from triage.taxonomy import Department, Taxonomy

UNIT, ACCUSE, GRAVE, DEED, LIGHT, ADDRESSED, ASKED, PRAISE, DENIED, PLACE, ACTS = (
    "unit",
    "accuse",
    "grave",
    "deed",
    "light",
    "addressed",
    "asked",
    "praise",
    "denied",
    "place",
    "acts",
)
LITIGATION, DEMAND, DANGER, PAST = "litigation", "litigation_demand", "danger", "danger_past"
KINDS = (ACCUSE, GRAVE, DEED, LIGHT, ADDRESSED, ASKED, PRAISE, DENIED, PLACE, ACTS, LITIGATION, DEMAND, DANGER, PAST)
REACH = 24  # characters between an accused unit and the word that accuses it; longer gaps are other sentences in run-on text
PLACE_NAME = 5  # characters of a place between a request and the unit asked: 请求云岭县纪委
DEED_REACH = 12  # a deed that private people do as well must follow the unit closely to be its own

SPEAKING = frozenset({ACCUSE, GRAVE, DEED, LIGHT})  # without one of these words nobody is accused

_CLAUSE_END = re.compile(r"[,.!?;:，。！？；：、\n\"“”'‘’()《》〈〉\[\]【】]")
_FILL = "*#~_-—–·•・|/\\+=^`"  # and every blank: may stand inside a word


class Mark(NamedTuple):
    """A word of the guards in the letter: its kind, the department it names (for a unit), its clause and its place in the squeezed text."""

    kind: str
    unit: str
    clause: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules read. Codes of departments in the order met; ``doubtful`` are units that may be accused."""

    accused: tuple[str, ...]
    doubtful: tuple[str, ...]
    litigation: bool
    danger: bool


class _Table:
    """Words with what they mean; where several fit, the first and longest counts, and a look-alike hides what it holds."""

    def __init__(self, words: dict[str, list[tuple[str, str]]], look_alikes: list[str]) -> None:
        from ahocorasick_rs import AhoCorasick, MatchKind

        meanings: dict[str, list[tuple[str, str]]] = {word: [] for word in look_alikes} | words
        self._meanings = list(meanings.values())
        self._automaton = AhoCorasick(list(meanings), matchkind=MatchKind.LeftmostLongest)

    def find(self, text: str) -> list[tuple[int, int, tuple[str, str]]]:
        """Start, end and meaning of every word of ``text``; once for each meaning."""
        return [(start, end, meaning) for word, start, end in self._automaton.find_matches_as_indexes(text) for meaning in self._meanings[word]]


class Guards:
    """The words of a taxonomy, compiled once: names of units apart from the other words, so that neither hides the other."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._departments = taxonomy.departments
        units: dict[str, list[tuple[str, str]]] = {}
        for department in taxonomy.departments.values():
            for name in (department.name, *department.aliases, *department.offices):
                units.setdefault(name, []).append((UNIT, department.code))
        words: dict[str, list[tuple[str, str]]] = {}
        for kind in KINDS:
            for word in taxonomy.guards.get(kind, []):
                words.setdefault(word, []).append((kind, ""))
        look_alikes = taxonomy.guards.get("look_alikes", [])
        self._units, self._words = _Table(units, look_alikes), _Table(words, look_alikes)

    def read(self, text: str) -> Findings:
        """The findings in one normalised letter. Most letters hold no word that a rule begins with, and are done after one look."""
        squeezed = _squeezed(text)
        words = self._words.find(squeezed)
        kinds = {kind for _, _, (kind, _) in words}
        marks = self._marks(squeezed, words, kinds) if kinds & (SPEAKING | {DEMAND, DANGER}) else []
        accused, doubtful = _accused(marks)
        return Findings(accused, tuple(unit for unit in doubtful if unit not in accused), _before_court(marks), _in_danger(marks))

    def _marks(self, squeezed: str, words: list[tuple[int, int, tuple[str, str]]], kinds: set[str]) -> list[Mark]:
        """Every word, and every unit where one may be accused, in the order of the text, with the clause it stands in."""
        ends = [found.start() for found in _CLAUSE_END.finditer(squeezed)]
        found = sorted([*words, *(self._units.find(squeezed) if kinds & SPEAKING else [])])
        return [Mark(kind, unit, bisect(ends, start), start, end) for start, end, (kind, unit) in found]

    def forbidden(self, accused: Iterable[str]) -> frozenset[str]:
        """Every department that an accusation against ``accused`` must not reach: they, what contains them, and what lies under them."""
        return frozenset(code for code in self._departments for unit in accused if code == unit or code in self._above(unit) or unit in self._above(code))

    def _above(self, code: str) -> list[str]:
        above: list[str] = []
        at: Department | None = self._departments.get(code)
        while at and at.part_of and at.part_of not in above:
            above.append(at.part_of)
            at = self._departments.get(at.part_of)
        return above


def _squeezed(text: str) -> str:
    """The text without what may stand inside a word; a line's end ends a clause."""
    from triage.characters import codes_of, text_of, without

    return text_of(without(codes_of(text.replace("\n", "。")), _fill()))


@cache
def _fill() -> NDArray[np.bool_]:
    import numpy as np

    characters = map(chr, range(0x10000))
    return np.array([character.isspace() or character in _FILL for character in characters])


def _accused(marks: list[Mark]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found: dict[str, list[str]] = {GRAVE: [], LIGHT: [], "": []}
    praised = {mark.clause for mark in marks if mark.kind == PRAISE}
    starts = [mark.start for mark in marks]
    for unit in marks:
        if unit.kind == UNIT and unit.clause not in praised and unit.unit not in found[GRAVE]:
            near = marks[bisect_left(starts, unit.start - REACH) : bisect(starts, unit.end + REACH)]
            found[_verdict(unit, near) if any(mark.kind in SPEAKING for mark in near) else ""].append(unit.unit)
    return tuple(dict.fromkeys(found[GRAVE])), tuple(dict.fromkeys(found[LIGHT]))


def _verdict(unit: Mark, near: list[Mark]) -> str:
    """GRAVE when the unit is accused by the words near it, LIGHT when it may be, "" when it is only named."""
    here = [mark for mark in near if mark.clause == unit.clause]
    if any(mark.kind == PLACE and mark.start == unit.end for mark in here):
        return ""
    addressed = any((mark.kind == ADDRESSED and mark.end == unit.start) or (mark.kind == ASKED and 0 <= unit.start - mark.end <= PLACE_NAME) for mark in here)
    asked = any(mark.kind == ACCUSE and mark.start >= unit.end for mark in here)
    verb = any(mark.kind == ACCUSE and mark.end <= unit.start and not _between(here, mark, unit, ADDRESSED) for mark in here)
    grave = any(_misconduct(mark, unit) and not _denied(here, mark) and not _between(here, unit, mark, ACTS) for mark in here)
    grave_after = not asked and _follows(unit, near)
    light = any(mark.kind == LIGHT and mark.start >= unit.end for mark in here)
    if (verb and not addressed) or (grave and not (addressed and asked)) or (grave_after and not addressed):
        return GRAVE
    return LIGHT if light or ((grave or grave_after) and not addressed) else ""


def _misconduct(mark: Mark, unit: Mark) -> bool:
    return mark.kind == GRAVE or (mark.kind == DEED and 0 <= mark.start - unit.end <= DEED_REACH)


def _follows(unit: Mark, near: list[Mark]) -> bool:
    """The clause after the unit's tells a grave matter and names nobody else who could have done it."""
    after = [mark for mark in near if mark.clause == unit.clause + 1]
    if any(mark.kind == ACTS and mark.clause == unit.clause and mark.start >= unit.end for mark in near):
        return False
    return any(mark.kind == GRAVE for mark in after) and not any(mark.kind == UNIT for mark in after)


def _between(marks: list[Mark], left: Mark, right: Mark, kind: str) -> bool:
    return any(mark.kind == kind and left.end <= mark.start and mark.end <= right.start for mark in marks)


def _denied(marks: list[Mark], word: Mark) -> bool:
    return any(mark.kind == DENIED and 0 <= word.start - mark.end <= 3 for mark in marks)


def _before_court(marks: list[Mark]) -> bool:
    words = {(mark.start, mark.end) for mark in marks if mark.kind == LITIGATION}
    demands = {mark.start for mark in marks if mark.kind == DEMAND}
    return bool(demands) and len(words) >= 2


def _in_danger(marks: list[Mark]) -> bool:
    calmed = {mark.clause for mark in marks if mark.kind in (PAST, DENIED)}
    return any(mark.kind == DANGER and mark.clause not in calmed for mark in marks)
