"""What crosses the wire, for checking and for OpenAPI. The inside uses ``triage.letter``."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triage.errors import InputError
from triage.letter import MAX_CHARACTERS, Letter

Model = TypeVar("Model", bound=BaseModel)

MAX_LETTERS = 1_000
EXAMPLE_LETTER = {
    "id": "2026-001873",
    "title": "讨要工钱",
    "body": "我们八个人在石桥镇安置房工地干了四个月,包工头只发过一次生活费,剩下的工钱拖到现在一分没给。",
}


def _filled(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"minLength": 1}}}


_WORDS: dict[str, Any] = {
    "anyOf": [{"required": [name]} for name in ("text", "title", "body")],
    "not": _filled("text") | {"anyOf": [_filled("title"), _filled("body")]},
}


class LetterIn(BaseModel):
    """A letter: ``text``, or ``body`` with or without ``title``. Nothing else of it is read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [dict(EXAMPLE_LETTER)], **_WORDS})

    text: str = Field("", max_length=MAX_CHARACTERS, description="the whole letter; instead of title and body")
    title: str = Field("", max_length=MAX_CHARACTERS)
    body: str = Field("", max_length=MAX_CHARACTERS)
    id: str = Field("", max_length=200, description="the intake system's own number, given back unchanged")
    channel: Literal["", "letter", "web", "visit", "phone", "fax"] = ""
    received_at: str = Field("", max_length=64)
    sender: str = Field("", max_length=200, description="opaque reference, never parsed")
    place: str = Field("", max_length=200)

    def letter(self) -> Letter:
        """The letter as the desk knows it."""
        return Letter(
            self.text or self.body, title=self.title, id=self.id, channel=self.channel, received_at=self.received_at, sender=self.sender, place=self.place
        )


class LabelOut(BaseModel):
    """A department."""

    code: str = Field(examples=["human_resources"])
    name: str = Field(examples=["人力资源和社会保障局"])


class CategoryOut(BaseModel):
    """A category with its calibrated probability."""

    code: str = Field(examples=["wages"])
    name: str = Field(examples=["拖欠工资"])
    domain: str = Field(examples=["劳动和社会保障"])
    probability: float = Field(ge=0, le=1, examples=[0.93])


class PurposeOut(BaseModel):
    """What the writer wants."""

    code: str = Field(examples=["appeal"])
    name: str = Field(examples=["申诉求决"])
    probability: float = Field(ge=0, le=1, examples=[0.97])


class ReasonOut(BaseModel):
    """A rule that had a part in the decision."""

    rule: str = Field(examples=["category"])
    says: str = Field(examples=["拖欠工资 → 人力资源和社会保障局"])


class TermOut(BaseModel):
    """A term of the letter, and how far it moved the score."""

    term: str = Field(examples=["包工头"])
    weight: float = Field(examples=[0.91])


class DecisionOut(BaseModel):
    """分办意见. ``category`` and ``lead`` are null when the letter could not be judged; a person decides then."""

    letter: str = Field(examples=["2026-001873"])
    category: CategoryOut | None
    candidates: list[CategoryOut]
    purpose: PurposeOut | None
    lead: LabelOut | None
    co_handlers: list[LabelOut]
    disposition: Literal["forward", "assign", "present", "inform"] | None
    needs_review: bool
    reasons: list[ReasonOut]
    why: list[TermOut]
    model: str | None = Field(examples=["2026-11-22T08-15-30Z-7f3a"])
    taxonomy: str = Field(examples=["sha256:0f3c9a"])


class DecisionsOut(BaseModel):
    """One decision a letter, in the order of the letters."""

    decisions: list[DecisionOut]


class CategoryListed(BaseModel):
    """A category of the taxonomy."""

    code: str
    name: str
    domain: str
    covers: str
    lead: LabelOut
    co_handlers: list[LabelOut]


class DepartmentListed(BaseModel):
    """A department with the other and former names that lead to it."""

    code: str
    name: str
    aliases: list[str]


class ModelListed(BaseModel):
    """A version of the model; one that is not ``sound`` cannot be used."""

    version: str = Field(examples=["2026-11-22T08-15-30Z-7f3a"])
    live: bool
    live_since: str | None
    by: str | None
    created: str | None
    letters: int | None
    accuracy: float | None
    macro_f1: float | None
    sound: bool


class ModelsOut(BaseModel):
    """Every version of the model; ``live`` is the one that was promoted last, ``serving`` the one that this process decides with."""

    live: str | None
    serving: str | None
    models: list[ModelListed]


class Problem(BaseModel):
    """An error (RFC 9457). It never repeats what was sent."""

    type: str = Field(examples=["urn:letter-triage:problem:unknown-field"])
    title: str
    status: int
    detail: str
    request_id: str = Field("", description="as in X-Request-ID, and in the server's log")


class Health(BaseModel):
    """A probe's answer."""

    status: str = Field(
        description="`ok` (healthz); with 200 `ready`, or `degraded` when the end of the register's audit trail was altered; with 503 `draining`, `no-model`, "
        "or for which reason the register takes no letters, as the type of a problem says it (`register-unreachable`, `register-read-only`, `register-full` ...)",
        examples=["ready"],
    )
    detail: str = Field(default="", description="the model that decides, or what to do")
    refused: str = Field(
        default="", description="what is wrong although letters are taken: why the model that should be live is not, or what was altered in the trail"
    )


def letters_of(body: Any) -> tuple[list[Letter], bool]:
    """The letters of a request body, and whether it was a batch. Raises InputError that names the field, never its value."""
    if not isinstance(body, dict):
        raise InputError('body: not an object. Allowed is a letter or {"letters": [...]}. See /docs.', kind="object-expected")
    if "letters" not in body:
        return [letter_of(body)], False
    if set(body) != {"letters"} or not isinstance(body["letters"], list):
        raise InputError('body: "letters" must be a list and stand alone. Send {"letters": [{"text": "..."}]}.')
    if not body["letters"]:
        raise InputError(f"letters: none. Allowed are 1 to {MAX_LETTERS} in a call. Send at least one.")
    if len(body["letters"]) > MAX_LETTERS:
        raise InputError(
            f"letters: {len(body['letters'])} letters. Allowed are 1 to {MAX_LETTERS} in a call. Split the batch.", kind="too-many-items", status=413
        )
    return [letter_of(item, f"letters[{number}]") for number, item in enumerate(body["letters"])], True


def letter_of(item: Any, where: str = "body") -> Letter:
    """The letter that an object is. Raises InputError that names the field, never its value."""
    if isinstance(item, dict) and item.keys() <= _FIELDS:
        if item.keys().isdisjoint(_TEXTS):
            raise InputError(f"{where}: no text. A letter has text, or body and title. Send one of them; it may be empty.")
        if item.get("text") and (item.get("body") or item.get("title")):
            raise InputError(f"{where}: text stands beside body or title. Text is the whole letter. Send one or the other.")
    return checked(LetterIn, item, where).letter()


_FIELDS, _TEXTS = LetterIn.model_fields.keys(), {"text", "body", "title"}


def checked(model: type[Model], item: Any, where: str = "body") -> Model:
    """An object of the body, checked. Raises InputError that names what is wrong with which field, never its value."""
    if not isinstance(item, dict):
        raise InputError(f"{where}: not an object. Allowed is an object with {', '.join(model.model_fields)}. See /docs.", kind="object-expected")
    if not item.keys() <= model.model_fields.keys():
        fields = list(model.model_fields)
        unknown = [name for name in item if name not in fields]
        names = ", ".join(named(name, fields) for name in unknown[:5])
        raise InputError(f"{where}: unknown field {names}. Allowed: {', '.join(fields)}. Correct the name.", kind="unknown-field")
    try:
        return model.model_validate(item, strict=True)
    except ValidationError as error:
        parts = error.errors(include_input=False, include_url=False)
        wrong = "; ".join(f"{part['loc'][0]}: {part['msg']}" for part in parts)
        kind = "text-too-long" if any(part["type"] == "string_too_long" for part in parts) else ""
        raise InputError(f"{where}: {wrong}. Lengths and values are listed under /docs. Correct the field.", kind=kind) from None


def named(field: str, known: list[str]) -> str:
    """An unknown field's name and the nearest known one; a name that is no identifier may hold a letter's words and is not repeated.

    >>> named("txet", ["text", "title"]), named("拖欠 工资", ["text"])
    ('"txet" (nearest "text")', '(name not shown)')
    """
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,39}", field) is None:
        return "(name not shown)"
    close = get_close_matches(field, known, n=1)
    return f'"{field}"' + (f' (nearest "{close[0]}")' if close else "")
