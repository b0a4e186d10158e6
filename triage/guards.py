"""Who is accused, is it before a court, is a life in danger: read by rules over words, never from a probability.

One pass over the letter finds every word of ``guards.toml`` and every name of ``departments.toml``; the rules then look at the words in
their clause. Blanks inside words do not hide them. In doubt a rule says so, and a person decides.
"""

from __future__ import annotations

from bisect import bisect, bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from triage.marks import Table
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

_CLAUSE_ENDS = ",.!?;:，。！？；：、\n\"“”'‘’()《》〈〉[]【】"
_FILL = "*#~_-—–·•・|/\\+=^`"  # and every blank: may stand inside a word


class Mark(NamedTuple):
    """A word of the guards in the letter: its place in the letter without its fill, its kind, the department it names (for a unit), its clause."""

    start: int
    end: int
    kind: str
    unit: str
    clause: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules read. Codes of departments in the order met; ``doubtful`` are units that may be accused."""

    accused: tuple[str, ...]
    doubtful: tuple[str, ...]
    litigation: bool
    danger: bool


NOTHING = Findings((), (), litigation=False, danger=False)


class Guards:
    """The words of a taxonomy, in trees: names of units apart from the other words, so that neither hides the other."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._departments = taxonomy.departments
        self._above = {code: _above(code, taxonomy.departments) for code in taxonomy.departments}
        units: dict[str, list[tuple[str, str]]] = {}
        for department in taxonomy.departments.values():
            for name in (department.name, *department.aliases, *department.offices):
                units.setdefault(name, []).append((UNIT, department.code))
        words: dict[str, list[tuple[str, str]]] = {}
        for kind in KINDS:
            for word in taxonomy.guards.get(kind, []):
                words.setdefault(word, []).append((kind, ""))
        hidden: dict[str, list[tuple[str, str]]] = {word: [] for word in taxonomy.guards.get("look_alikes", [])}
        words, units = hidden | words, hidden | units
        self._meanings = [*words.values(), *units.values()]
        self._table = _table(words, units)

    def read(self, codes: NDArray[np.uint32], bounds: NDArray[np.int64]) -> list[Findings]:
        """The findings in each of the normalised letters, joined. Most hold no word that a rule begins with, and are done after one look."""
        from triage.marks import marked

        found, bounds = marked(codes, bounds, *self._table)
        places = found.tolist()
        return [self._findings(places[begin:end]) if end > begin else NOTHING for begin, end in pairwise(bounds.tolist())]

    def _findings(self, places: list[list[int]]) -> Findings:
        meanings = self._meanings
        marks = sorted([Mark(begin, end, kind, unit, clause) for begin, end, word, clause in places for kind, unit in meanings[word]])
        kinds = {mark.kind for mark in marks}
        accused, doubtful = _accused(marks) if UNIT in kinds and kinds & SPEAKING else ((), ())
        return Findings(
            accused, tuple([unit for unit in doubtful if unit not in accused]), DEMAND in kinds and _before_court(marks), DANGER in kinds and _in_danger(marks)
        )

    def forbidden(self, accused: Iterable[str]) -> frozenset[str]:
        """Every department that an accusation against ``accused`` must not reach: they, what contains them, and what lies under them."""
        above = self._above
        return frozenset(code for unit in accused for code in self._departments if code == unit or code in above[unit] or unit in above[code])


def _above(code: str, departments: Mapping[str, Department]) -> list[str]:
    above: list[str] = []
    at = departments.get(code)
    while at and at.part_of and at.part_of not in above:
        above.append(at.part_of)
        at = departments.get(at.part_of)
    return above


def _table(words: dict[str, list[tuple[str, str]]], units: dict[str, list[tuple[str, str]]]) -> Table:
    from triage.marks import BEGINS_UNIT, BEGINS_WORD, BLAMES, CLAUSE_END, FILL, QUALIFIES, SPARES, TELLS, Table
    from triage.tree import of_words

    kinds = np.array([FILL if chr(code).isspace() or chr(code) in _FILL else 0 for code in range(0x10000)], np.uint8)
    kinds[[ord(character) for character in _CLAUSE_ENDS]] = CLAUSE_END
    for kind, known in ((BEGINS_WORD, words), (BEGINS_UNIT, units)):
        kinds[[ord(word[0]) for word in known if ord(word[0]) < len(kinds)]] |= kind
    told = {BLAMES: SPEAKING, TELLS: {DEMAND, DANGER}, QUALIFIES: {DEMAND, LITIGATION, DANGER, PAST, DENIED}, SPARES: {PRAISE}}
    asks = np.array([sum(ask for ask, those in told.items() if any(kind in those for kind, _ in meanings)) for meanings in words.values()], np.uint8)
    return Table(of_words(list(words)), of_words(list(units)), asks, kinds)


def _accused(marks: list[Mark]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found: dict[str, list[str]] = {GRAVE: [], LIGHT: [], "": []}
    spoken = [mark.start for mark in marks if mark.kind in SPEAKING]
    praised = {mark.clause for mark in marks if mark.kind == PRAISE}
    starts = [mark.start for mark in marks]
    for unit in marks:
        if unit.kind == UNIT and unit.clause not in praised and unit.unit not in found[GRAVE]:
            first, last = unit.start - REACH, unit.end + REACH
            if bisect_left(spoken, first) < bisect(spoken, last):
                found[_verdict(unit, marks[bisect_left(starts, first) : bisect(starts, last)])].append(unit.unit)
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
    """A demand on a court, and two words of litigation."""
    return len({(mark.start, mark.end) for mark in marks if mark.kind == LITIGATION}) >= 2


def _in_danger(marks: list[Mark]) -> bool:
    calmed = {mark.clause for mark in marks if mark.kind in (PAST, DENIED)}
    return any(mark.kind == DANGER and mark.clause not in calmed for mark in marks)
