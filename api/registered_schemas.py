"""What crosses the wire about registered letters, for checking and for OpenAPI. The inside uses ``triage.register``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import DecisionOut, LabelOut  # noqa: TC001  # pydantic reads them when the classes are made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triage.register.listing import Registered
    from triage.taxonomy import Taxonomy

ID = "7c0f4ad19e3b52868d10"
DAY = r"^\d{4}-\d{2}-\d{2}$"
SAID = {"who": "王敏", "why": "信里要的是工钱,不是合同。"}
Review = Literal["open", "none", "done", "returned"]


class CorrectionIn(BaseModel):
    """更正: what a person says the letter is. Fields left out stay as they are; the same as before confirms it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"category": "wages", "department": "人社局", **SAID}]})

    category: str = Field("", max_length=200, description="code or name, as GET /v1/categories lists them")
    purpose: str = Field("", max_length=200, description="appeal, accusation, suggestion, inquiry, or its name")
    department: str = Field("", max_length=200, description="code or name, also a former one, as GET /v1/departments lists them")
    who: str = Field(min_length=1, max_length=200, description="the person who says so")
    why: str = Field(min_length=1, max_length=2_000, description="the reason, for whoever asks later")


class ReturnIn(BaseModel):
    """退回: a department holds that the letter is not its remit (信访工作条例 23)."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"objector": "住建局", "forwarded_on": "2026-11-16", "department": "人社局", **SAID}]}
    )

    objector: str = Field(min_length=1, max_length=200, description="the department that objects: code or name, also a former one")
    forwarded_on: str = Field(pattern=DAY, description="the day on which it was given the letter", json_schema_extra={"format": "date"})
    returned_on: str = Field("", pattern=r"^(\d{4}-\d{2}-\d{2})?$", description="the day of the objection; today by default")
    category: str = Field("", max_length=200, description="what the letter is instead, if it says so")
    department: str = Field("", max_length=200, description="where the letter belongs instead, if it says so")
    who: str = Field(min_length=1, max_length=200, description="the person who objects")
    why: str = Field(min_length=1, max_length=2_000, description="the reason that the law asks for")


class EnteredOut(BaseModel):
    """A letter that was registered, with the decision about it; of one that its source sent before, the decision of then."""

    id: str = Field(examples=[ID], description="the register's id")
    duplicate: bool = Field(description="whether this source had registered a letter of this id before")
    repeats: str | None = Field(description="the id of the first letter of the same matter from the same sender")
    decision: DecisionOut


class ListedOut(BaseModel):
    """A registered letter without its words. ``category``, ``purpose`` and ``department`` are what holds today, whoever said so."""

    id: str = Field(examples=[ID])
    letter: str = Field(examples=["2026-001873"], description="the intake system's own id")
    source: str = Field(examples=["热线系统"], description="the name of the key through which it came")
    registered_at: str = Field(examples=["2026-11-22T08:15:30.000000+00:00"])
    channel: str
    received_at: str
    sender: str
    place: str
    characters: int
    repeats: str | None
    category: LabelOut | None
    purpose: LabelOut | None
    department: LabelOut | None
    review: Review
    erased_at: str | None = Field(description="when its words were erased, after the period for which they are kept")


class PageOut(BaseModel):
    """Letters, newest first. ``next`` is the cursor of the page behind, null on the last one."""

    letters: list[ListedOut]
    next: str | None


class DecidedOut(BaseModel):
    """A decision and when it was made."""

    at: str
    decision: DecisionOut


class CorrectedOut(BaseModel):
    """A correction: codes, empty for what it left alone."""

    at: str
    who: str
    category: str
    purpose: str
    department: str
    why: str


class ReturnedOut(BaseModel):
    """An objection: whose, when, whether within five working days, and what is right instead, if it says so."""

    at: str
    who: str
    objector: str
    category: str
    department: str
    forwarded_on: str
    returned_on: str
    due_on: str
    in_time: bool
    why: str


class RecordOut(ListedOut):
    """A registered letter with its words and all that was said about it, in the order of time."""

    title: str
    body: str
    decisions: list[DecidedOut]
    corrections: list[CorrectedOut]
    returns: list[ReturnedOut]


class CorrectionOut(BaseModel):
    """What a correction said, as it was understood."""

    letter: str = Field(examples=[ID], description="the register's id")
    review: Review
    category: LabelOut | None
    purpose: LabelOut | None
    department: LabelOut | None


class ReturnOut(BaseModel):
    """Whether an objection came within its period, which ends on ``due_on``. One that came late is kept too."""

    letter: str = Field(examples=[ID], description="the register's id")
    review: Review
    objector: LabelOut
    in_time: bool
    due_on: str = Field(examples=["2026-11-23"])


def listed(letter: Registered, taxonomy: Taxonomy) -> dict[str, Any]:
    """A letter as the list has it."""
    facts = {name: getattr(letter, name) for name in ("id", "source", "registered_at", "characters", "repeats", "review", "erased_at")}
    given = {name: getattr(letter.letter, name) for name in ("channel", "received_at", "sender", "place")}
    return facts | given | {"letter": letter.letter.id} | labelled(letter.category, letter.purpose, letter.department, taxonomy)


def recorded(letter: Registered, taxonomy: Taxonomy) -> dict[str, Any]:
    """A letter with its words and all that was said about it."""
    words = {"title": letter.letter.title, "body": letter.letter.body}
    return listed(letter, taxonomy) | words | {name: getattr(letter, name) for name in ("decisions", "corrections", "returns")}


def labelled(category: str, purpose: str, department: str, taxonomy: Taxonomy) -> dict[str, Any]:
    """Codes with the names that people read; a code that the taxonomy knows no more is its own name."""
    return {
        "category": _label(category, taxonomy.categories),
        "purpose": _label(purpose, taxonomy.purposes),
        "department": _label(department, taxonomy.departments),
    }


def _label(code: str, known: Mapping[str, Any]) -> dict[str, str] | None:
    return {"code": code, "name": known[code].name if code in known else code} if code else None
