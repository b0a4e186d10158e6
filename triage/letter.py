"""A letter comes in, a decision goes out: the two things this house is about. Frozen, and without any I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Label:
    """A code with the name that people read."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """A category with its calibrated probability: of the letters given 0.9, nine in ten are right."""

    code: str
    name: str
    domain: str
    probability: float


@dataclass(frozen=True, slots=True)
class PurposeScore:
    """What the writer wants, with its calibrated probability."""

    code: str
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that had a part in the decision, and what it says to a person. Never a letter's words."""

    rule: str
    says: str


@dataclass(frozen=True, slots=True)
class Term:
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
    """As ``dataclasses.asdict``, which copies what cannot change and takes eight times as long."""
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return {name: getattr(value, name) for name in value.__slots__} if hasattr(value, "__slots__") else value
