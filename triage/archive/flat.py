"""A decision as cells of a row: the same fields as in JSON, flat, under Chinese or English headers."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from triage.routing import DISPOSITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.letter import Decision

Cell = str | float | bool | None
FIELDS = {
    "category": "类别",
    "category_code": "类别代码",
    "domain": "领域",
    "probability": "把握",
    "candidates": "候选类别",
    "purpose": "目的",
    "lead": "主办",
    "co_handlers": "协办",
    "disposition": "办理方式",
    "needs_review": "需复核",
    "reasons": "理由",
    "why": "依据词",
    "model": "模型",
    "taxonomy": "分类标准",
}
NUMBERS, FLAGS = ("probability",), ("needs_review",)  # JSON Lines and Parquet keep them as such; in the others every cell is text
SOURCE = {"zh": "来源文件", "en": "source_file"}
_MARK = {"zh": "分办", "en": "decision"}
YES, NO = "是", "否"


def flat(decision: Decision) -> list[Cell]:
    """The cells of a decision, in the order of ``FIELDS``.

    >>> from triage.letter import Decision, Reason
    >>> flat(Decision("7", None, (), None, None, (), None, True, (Reason("empty", "没有可读的文字"),), (), "v1", "sha256:0"))
    ['', '', '', None, '', '', '', '', '', True, '没有可读的文字', '', 'v1', 'sha256:0']
    """
    category = decision.category
    return [
        *((category.name, category.code, category.domain, category.probability) if category else ("", "", "", None)),
        ";".join(f"{other.name} {other.probability}" for other in decision.candidates),
        decision.purpose.name if decision.purpose else "",
        decision.lead.name if decision.lead else "",
        ";".join(unit.name for unit in decision.co_handlers),
        DISPOSITIONS[decision.disposition] if decision.disposition else "",
        decision.needs_review,
        ";".join(reason.says for reason in decision.reasons),
        ";".join(f"{term.term} {term.weight:+}" for term in decision.why),
        decision.model,
        decision.taxonomy,
    ]


def text(cell: Cell) -> str:
    """A cell of a table of text.

    >>> [text(cell) for cell in (0.9744, True, None, "007")]
    ['0.9744', '是', '', '007']
    """
    if isinstance(cell, str):
        return cell
    return (YES if cell else NO) if isinstance(cell, bool) else "" if cell is None else str(cell)


def headers(taken: Sequence[str], *, language: str, sources: bool) -> list[str]:
    """The names of the columns that a job adds: the source where there are several, then the decision's; none of ``taken`` is used again.

    >>> headers(["编号", "类别"], language="zh", sources=True)[:3]
    ['来源文件', '类别(分办)', '类别代码']
    """
    wanted = [SOURCE[language]] * sources + [zh if language == "zh" else en for en, zh in FIELDS.items()]
    known = set(taken) | set(wanted)
    return [name if name not in taken else _free(name, known, _MARK[language]) for name in wanted]


def _free(name: str, known: set[str], mark: str) -> str:
    names = (f"{name}({mark}{number if number > 1 else ''})" for number in count(1))
    free = next(other for other in names if other not in known)
    known.add(free)
    return free
