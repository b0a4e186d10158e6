"""A letter comes in, a decision goes out: the two things this house is about. Frozen, and without any I/O.

They are frozen by ``Final``, which mypy holds: a decision has twenty parts, and a dataclass that is frozen when it runs takes three times as long to
make. The parts of a decision have no slots: orjson writes what has a ``__dict__`` in a fifth of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MAX_CHARACTERS = 100_000


@dataclass(unsafe_hash=True, slots=True)
class Letter:
    """One incoming letter. Only its words are read; ``sender`` is an opaque reference and never parsed."""

    body: Final[str]
    title: Final[str] = ""
    id: Final[str] = ""
    channel: Final[str] = ""
    received_at: Final[str] = ""
    sender: Final[str] = ""
    place: Final[str] = ""

    @property
    def text(self) -> str:
        r"""Title and body, as written.

        >>> Letter("工资一分没发", title="讨薪").text
        '讨薪\n工资一分没发'
        """
        return f"{self.title}\n{self.body}" if self.title else self.body


@dataclass(unsafe_hash=True)
class Label:
    """A code with the name that people read."""

    code: Final[str]
    name: Final[str]


@dataclass(unsafe_hash=True)
class CategoryScore:
    """A category with its calibrated probability: of the letters given 0.9, nine in ten are right."""

    code: Final[str]
    name: Final[str]
    domain: Final[str]
    probability: Final[float]


@dataclass(unsafe_hash=True)
class PurposeScore:
    """What the writer wants, with its calibrated probability."""

    code: Final[str]
    name: Final[str]
    probability: Final[float]


@dataclass(unsafe_hash=True)
class Reason:
    """A rule that had a part in the decision, and what it says to a person. Never a letter's words."""

    rule: Final[str]
    says: Final[str]


@dataclass(unsafe_hash=True)
class Term:
    """A term that stands in the letter, and how far it moved the score of the category (log-odds, either sign)."""

    term: Final[str]
    weight: Final[float]


@dataclass(unsafe_hash=True)
class Decision:
    """分办意见: what the letter is about, who answers, how sure that is, and why.

    ``category`` and ``lead`` are None when the letter could not be judged; ``needs_review`` is then true.
    """

    letter: Final[str]
    category: Final[CategoryScore | None]
    candidates: Final[tuple[CategoryScore, ...]]
    purpose: Final[PurposeScore | None]
    lead: Final[Label | None]
    co_handlers: Final[tuple[Label, ...]]
    disposition: Final[str | None]
    needs_review: Final[bool]
    reasons: Final[tuple[Reason, ...]]
    why: Final[tuple[Term, ...]]
    model: Final[str | None]
    taxonomy: Final[str]

    def as_dict(self) -> dict[str, Any]:
        """The fields of ``decision.md``, ready for JSON."""
        return {name: _plain(value) for name, value in vars(self).items()}


def _plain(value: Any) -> Any:
    """As ``dataclasses.asdict``, which copies what cannot change and takes eight times as long."""
    if isinstance(value, tuple):
        return tuple([_plain(item) for item in value])
    return dict(vars(value)) if hasattr(value, "__dict__") else value
