"""Scores and findings to a route: lead, co-handlers, disposition, review or not, and the reasons, in words.

The rules stand in the order of their force. A guard is never outvoted by a probability, and no rule changes a probability.
Articles in brackets are those of 信访工作条例 (in force since 2022-05-01); see ``docs/rules.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.letter import Label, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from triage.guards import Findings, Guards
    from triage.letter import CategoryScore
    from triage.taxonomy import Taxonomy

FORWARD, ASSIGN, PRESENT, INFORM = "forward", "assign", "present", "inform"
DISPOSITIONS = {FORWARD: "转送", ASSIGN: "交办", PRESENT: "呈阅", INFORM: "告知"}
DISCIPLINE, DISCIPLINE_ABOVE, POLITICAL_LEGAL = "discipline", "discipline_above", "political_legal"
OTHER = "other"
BEFORE_THE_COURTS = ("court", "procuratorate")  # a complaint about how they handled a case is part of the case (22, 28)
TOO_CLOSE = 0.10  # two candidates nearer than this are a coin toss for the reader


@dataclass(slots=True)
class Route:
    """Where a letter goes. Built step by step by the rules below, then frozen into the decision."""

    lead: str
    co_handlers: list[str]
    disposition: str = FORWARD
    needs_review: bool = False
    reasons: list[Reason] = field(default_factory=list)

    def review(self, rule: str, says: str) -> None:
        """Put the letter before a person, and say why."""
        self.needs_review = True
        self.reasons.append(Reason(rule, says))


class Judged(NamedTuple):
    """What the rooms before this one know of a letter: its scores, the probability it needs to go on alone, the guards' findings."""

    category: CategoryScore
    runner_up: CategoryScore
    send_from: float
    findings: Findings


def desks(categories: Sequence[str], taxonomy: Taxonomy) -> NDArray[np.int64]:
    """(n_categories,) a number for each category's lead, the same for the same lead: see ``models.choice``."""
    numbers = {code: number for number, code in enumerate(taxonomy.departments)}
    return np.array([numbers[taxonomy.categories[code].lead] for code in categories], np.int64)


def route(judged: Judged, taxonomy: Taxonomy, guards: Guards) -> Route:
    """The route of one letter that could be judged."""
    category = taxonomy.categories[judged.category.code]
    way = Route(category.lead, list(category.co_handlers))
    way.reasons.append(_subject(category.name, taxonomy.departments[category.lead].name))
    _doubt(way, judged)
    _litigation(way, judged, taxonomy)
    _accusation(way, judged, taxonomy, guards)
    _danger(way, judged)
    way.co_handlers = [code for code in dict.fromkeys(way.co_handlers) if code != way.lead]
    return way


@lru_cache(maxsize=1024)
def _subject(category: str, department: str) -> Reason:
    return Reason("category", f"{category} → {department}")


def _doubt(way: Route, judged: Judged) -> None:
    first, second = judged.category, judged.runner_up
    if first.code == OTHER:
        way.review("other", "不属于任何已知类别,由信访局人工办理")
    if first.probability < judged.send_from:
        way.review("uncertain", f"类别把握 {first.probability:.0%},低于该类别直接分流的要求")
    if first.probability - second.probability < TOO_CLOSE:
        way.review("close", f"{first.name} 与 {second.name} 难以区分")


def _litigation(way: Route, judged: Judged, taxonomy: Taxonomy) -> None:
    """涉法涉诉 goes to the political-legal bodies of the same level, whatever its subject (22, 28)."""
    if judged.findings.litigation and way.lead != POLITICAL_LEGAL:
        way.lead, way.co_handlers = POLITICAL_LEGAL, []
        way.review("litigation", f"信中要求改变或执行裁判、仲裁结果,属涉法涉诉 → {taxonomy.departments[POLITICAL_LEGAL].name} (条例第22、28条)")


def _accusation(way: Route, judged: Judged, taxonomy: Taxonomy, guards: Guards) -> None:
    """An accusation goes to discipline, never to the accused, what contains it or lies under it; nobody else is told (22, 30, 46)."""
    accused = judged.findings.accused
    if accused and way.lead == POLITICAL_LEGAL and set(accused) <= set(BEFORE_THE_COURTS):
        way.co_handlers = []
        way.review("accusation", f"信中指责办案机关,随案由 {taxonomy.departments[way.lead].name} 办理;不得转给被检举单位,不抄送 (条例第22、30、46条)")
    elif accused or way.lead == DISCIPLINE:
        above = any(taxonomy.departments[code].level_above for code in accused)
        way.lead, way.co_handlers = DISCIPLINE_ABOVE if above else DISCIPLINE, []
        where = taxonomy.departments[way.lead].name
        named = "、".join(taxonomy.departments[code].name for code in accused) or "公职人员"
        way.review("accusation", f"信中检举控告 {named} → {where};不得转给被检举单位,不抄送 (条例第22、30、46条)")
    elif judged.findings.doubtful and guards.forbidden(judged.findings.doubtful) & {way.lead, *way.co_handlers}:
        named = "、".join(taxonomy.departments[code].name for code in judged.findings.doubtful)
        way.review("maybe_accused", f"信中可能在指责 {named},而它在承办单位之列;请核实后再转送 (条例第30条)")


def _danger(way: Route, judged: Judged) -> None:
    """Danger to life or health now is put before leaders at once (25)."""
    if judged.findings.danger:
        way.disposition = PRESENT
        way.review("danger", "信中提到生命健康的紧急危险,请立即呈阅 (条例第25条)")


def labels(codes: list[str], taxonomy: Taxonomy) -> tuple[Label, ...]:
    """Codes of departments with the names that people read."""
    return tuple(Label(code, taxonomy.departments[code].name) for code in codes)
