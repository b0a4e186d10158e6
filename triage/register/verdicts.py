"""What persons say about a letter after the decision: corrections 更正 and returns 退回. Beside the decision, never over it; the latest holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from triage.errors import InputError
from triage.register import audit, idempotency
from triage.register.cipher import storable
from triage.register.entries import check_known
from triage.register.schema import CORRECTIONS, DECISIONS, LETTERS, RETURNS

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection, Table

    from triage.register.book import Register
    from triage.register.idempotency import Claim
    from triage.taxonomy import Taxonomy
    from triage.workdays import Calendar

    Once = tuple[Claim, str]

DONE, RETURNED = "done", "returned"  # review: a person has looked; a department objected and nobody has looked since


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says the letter is: codes, empty for what stays as it was. The same as the decision confirms it.

    ``key`` is the id of the key through which it came, for the audit trail.
    """

    who: str
    category: str = ""
    purpose: str = ""
    department: str = ""
    why: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Objection:
    """A department (``objector``) holds a letter is not its remit (信访工作条例 23); ``category`` and ``department`` say what is right, if it says so.

    ``forwarded_on`` and ``returned_on`` are days of the office.
    """

    who: str
    objector: str
    why: str
    forwarded_on: date
    returned_on: date
    category: str = ""
    department: str = ""
    key: str = ""


def correct(register: Register, letter: str, correction: Correction, taxonomy: Taxonomy, *, once: Once | None = None, seen: str = "") -> None:
    """Keep a correction; each field that it names holds from now on. ``once`` is a claim with the answer to store for repeats of the call.

    ``seen`` is the letter's ``version`` that the person saw; empty for one who does not mind what others said since. Raises InputError for
    an unknown letter (404), a version that is no more (412), an unknown code, or a correction of nothing.
    """
    said = {name: getattr(correction, name) for name in ("category", "purpose", "department")}
    if not any(said.values()):
        raise InputError(
            "correction: says nothing. It names a category, a purpose or a department; the same as before confirms it. Fill one in.", kind="empty-correction"
        )
    _check_codes(said, taxonomy)
    row = {"letter": letter, "at": audit.now(), "who": storable(correction.who), **said}
    with register.writing() as connection:
        if seen and seen != version(connection, letter):
            raise InputError(
                "If-Match: the letter has changed since. What was said meanwhile should be read first. Get it again, then correct it.",
                kind="stale-letter",
                status=412,
            )
        _keep(register, connection, CORRECTIONS, row, correction, review=DONE)
        if once:
            idempotency.settle(register, connection, *once, [letter])


def give_back(register: Register, letter: str, objection: Objection, taxonomy: Taxonomy, calendar: Calendar, *, once: Once | None = None) -> bool:
    """Keep a department's objection, and return whether it came within its period; a late one is kept too. Raises InputError like ``correct``."""
    said = {"category": objection.category, "department": objection.department}
    _check_codes(said | {"objector": objection.objector}, taxonomy)
    if objection.returned_on < objection.forwarded_on:
        raise InputError("returned_on: is before forwarded_on. A letter is forwarded first. Correct the days.", kind="invalid-days")
    due = calendar.objection_due(objection.forwarded_on)
    days = {"forwarded_on": objection.forwarded_on.isoformat(), "returned_on": objection.returned_on.isoformat(), "due_on": due.isoformat()}
    in_time = objection.returned_on <= due
    row = {"letter": letter, "at": audit.now(), "who": storable(objection.who), "objector": objection.objector, **said, **days, "in_time": in_time}
    with register.writing() as connection:
        _keep(register, connection, RETURNS, row, objection, review=RETURNED)
        if once:
            idempotency.settle(register, connection, *once, [letter])
    return in_time


def version(connection: Connection, letter: str) -> str:
    """Which state of a letter this is: whatever is said about it makes another. Raises InputError when there is no such letter."""
    check_known(connection, letter)
    return version_of(*(connection.execute(select(func.count()).where(table.c.letter == letter)).scalar_one() for table in (DECISIONS, CORRECTIONS, RETURNS)))


def version_of(decisions: int, corrections: int, returns: int) -> str:
    """The version of a letter about which so much was said.

    >>> version_of(1, 2, 0)
    '1.2.0'
    """
    return f"{decisions}.{corrections}.{returns}"


def _keep(register: Register, connection: Connection, table: Table, row: dict[str, Any], verdict: Correction | Objection, *, review: str) -> None:
    register.check_key()
    letter = row["letter"]
    check_known(connection, letter)
    said = {name: row[name] for name in ("category", "purpose", "department") if row.get(name)}
    action = audit.CORRECT if table is CORRECTIONS else audit.RETURN
    through = {"key": verdict.key} if verdict.key else {}
    seq = audit.append(connection, row["who"], action, letter, digest=audit.digest(table, row), **said, **through)
    connection.execute(table.insert(), row | {"seq": seq, "why": register.cipher.seal(verdict.why), "sealed_with": register.cipher.id})
    connection.execute(update(LETTERS).where(LETTERS.c.id == letter), said | {"review": review})


def _check_codes(said: dict[str, str], taxonomy: Taxonomy) -> None:
    known: dict[str, dict[str, Any]] = {
        "category": taxonomy.categories,
        "purpose": taxonomy.purposes,
        "department": taxonomy.departments,
        "objector": taxonomy.departments,
    }
    for name, code in said.items():
        if code and code not in known[name]:
            raise InputError(
                f'{name}: "{code[:40]}" is no known code. The codes are those of GET /v1/categories and /v1/departments. Correct it.', kind="unknown-code"
            )
