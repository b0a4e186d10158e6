"""Letters into the register, each with its decision, in one transaction: it is there whole, once, or not at all."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from triage.errors import InputError
from triage.register import audit, idempotency, matters
from triage.register.cipher import storable
from triage.register.schema import DECISIONS, LETTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from triage.letter import Decision, Letter
    from triage.register.book import Register
    from triage.register.idempotency import Claim

OPEN, NONE = "open", "none"  # review: a person must look; nobody needs to

_SAME = select(LETTERS.c.id, LETTERS.c.repeats, LETTERS.c.mark).where(LETTERS.c.source == bindparam("source"), LETTERS.c.source_id == bindparam("source_id"))
_ADD, _DECIDE = LETTERS.insert(), DECISIONS.insert()


@dataclass(frozen=True, slots=True)
class Entry:
    """A letter with its decision. ``source`` names the intake system; with ``letter.id`` it says which letter this is."""

    letter: Letter
    decision: Decision
    source: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """Where a letter stands: its ``id`` in the register, whether it is ``new``, and the first letter of its matter when it ``repeats`` one."""

    id: str
    new: bool
    repeats: str | None


def enter(
    register: Register,
    entries: Sequence[Entry],
    who: str,
    *,
    claim: Claim | None = None,
    answer: Callable[[list[Entered]], str] = lambda _: "",
) -> list[Entered]:
    """Register letters in one transaction; all are on the disk when this returns. One that its source sent before is not entered again.

    With a ``claim`` the text that ``answer`` makes of the result is stored with them, for repeats of the call. Raises InputError
    ("other-letter-same-id", 409) when a source gives an id to another text, RegisterError.
    """
    register.check_key()
    rows = [_row(register, entry) for entry in entries]
    with register.writing() as connection:
        entered = [_enter(register, connection, entry, row, who) for entry, row in zip(entries, rows, strict=True)]
        if claim:
            idempotency.settle(register, connection, claim, answer(entered), [item.id for item in entered])
    return entered


def decide(register: Register, letter: str, decision: Decision, who: str) -> None:
    """Keep a later decision about a registered letter beside the earlier ones; what persons said about it still holds."""
    register.check_key()
    with register.writing() as connection:
        check_known(connection, letter)
        _keep(register, connection, audit.DECIDE, letter, decision, who)


def check_known(connection: Connection, letter: str) -> None:
    """Raise InputError ("no-such-letter", 404) when the register holds no letter of this id."""
    if connection.execute(select(LETTERS.c.id).where(LETTERS.c.id == letter)).first() is None:
        raise no_such_letter()


def no_such_letter() -> InputError:
    """The error of an id that is not in the register."""
    return InputError(
        "letter: no letter of this id is registered. Ids are those that registering gave. Look it up in the list.", kind="no-such-letter", status=404
    )


def _row(register: Register, entry: Entry) -> dict[str, Any]:
    letter, decision, seal = entry.letter, entry.decision, register.cipher.seal
    texts = {name: storable(getattr(letter, name)) for name in ("channel", "received_at", "sender", "place")}
    return texts | {
        "source": storable(entry.source),
        "source_id": storable(letter.id) or None,
        "title": seal(letter.title),
        "body": seal(letter.body),
        "sealed_with": register.cipher.id,
        "characters": len(letter.text),
        "mark": matters.mark(register.facts["salt"], storable(letter.text)),
        "registered_at": audit.now(),
        "review": OPEN if decision.needs_review else NONE,
        **_said(decision),
    }


def _said(decision: Decision) -> dict[str, str]:
    answers = {"category": decision.category, "purpose": decision.purpose, "department": decision.lead}
    return {name: answer.code if answer else "" for name, answer in answers.items()}


def _enter(register: Register, connection: Connection, entry: Entry, row: dict[str, Any], who: str) -> Entered:
    if row["source_id"] is not None and (known := _known(connection, row)):
        return known
    repeats = matters.first(connection, register, row["sender"], storable(entry.letter.text))
    letter = secrets.token_hex(10)
    connection.execute(_ADD, row | {"id": letter, "repeats": repeats})
    _keep(register, connection, audit.REGISTER, letter, entry.decision, who)
    return Entered(letter, new=True, repeats=repeats)


def _known(connection: Connection, row: dict[str, Any]) -> Entered | None:
    found = connection.execute(_SAME, {"source": row["source"], "source_id": row["source_id"]}).first()
    if found is None:
        return None
    if found.mark not in (None, row["mark"]):
        raise InputError(
            "id: this source gave the same id to another letter before. An id stands for one letter. Send this one with an id of its own.",
            kind="other-letter-same-id",
            status=409,
        )
    return Entered(found.id, new=False, repeats=found.repeats)


def _keep(register: Register, connection: Connection, action: str, letter: str, decision: Decision, who: str) -> None:
    content = decision.as_dict()
    why = json.dumps(content.pop("why"), ensure_ascii=False)
    row: dict[str, Any] = {
        "letter": letter,
        "at": audit.now(),
        **_said(decision),
        "needs_review": decision.needs_review,
        "model": decision.model,
        "taxonomy": decision.taxonomy,
        "content": storable(json.dumps(content, ensure_ascii=False)),
    }
    seq = audit.append(connection, who, action, letter, digest=audit.digest(DECISIONS, row), model=decision.model or "", category=row["category"])
    connection.execute(_DECIDE, row | {"seq": seq, "why": register.cipher.seal(why), "sealed_with": register.cipher.id})
