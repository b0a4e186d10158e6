"""A letter comes in, a decision goes out: the two things this house is about. Frozen, and without any I/O.

The parts of a decision are named tuples: a letter needs twenty of them, and a frozen dataclass takes four times as long to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

MAX_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Letter:
    """One incoming letter. Only its words are read; ``sender`` is an opaque reference and never parsed."""

    body: str
    title: str = ""
    id: str = ""
    channel: str = ""
    received_at: str = ""
    sender: str = ""
    place: str = ""

    @property
    def text(self) -> str:
        r"""Title and body, as written.

        >>> Letter("工资一分没发", title="讨薪").text
        '讨薪\n工资一分没发'
        """
        return f"{self.title}\n{self.body}" if self.title else self.body


class Label(NamedTuple):
    """A code with the name that people read."""

    code: str
    name: str


class CategoryScore(NamedTuple):
    """A category with its calibrated probability: of the letters given 0.9, nine in ten are right."""

    code: str
    name: str
    domain: str
    probability: float


class PurposeScore(NamedTuple):
    """What the writer wants, with its calibrated probability."""

    code: str
    name: str
    probability: float


class Reason(NamedTuple):
    """A rule that had a part in the decision, and what it says to a person. Never a letter's words."""

    rule: str
    says: str


class Term(NamedTuple):
    """A term that stands in the letter, and how far it moved the score of the category (log-odds, either sign)."""

    term: str
    weight: float


@dataclass(frozen=True, slots=True)
class Decision:
    """分办意见: what the letter is about, who answers, how sure that is, and why.

    ``category`` and ``lead`` are None when the letter could not be judged; ``needs_review`` is then true.
    """

    letter: str
    category: CategoryScore | None
    candidates: tuple[CategoryScore, ...]
    purpose: PurposeScore | None
    lead: Label | None
    co_handlers: tuple[Label, ...]
    disposition: str | None
    needs_review: bool
    reasons: tuple[Reason, ...]
    why: tuple[Term, ...]
    model: str | None
    taxonomy: str

    def as_dict(self) -> dict[str, Any]:
        """The fields of ``decision.md``, ready for JSON."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


def _plain(value: Any) -> Any:
    """A part of a decision as a dictionary, several as a tuple of them."""
    if type(value) is tuple:
        return tuple([_plain(item) for item in value])
    return value._asdict() if hasattr(value, "_fields") else value
