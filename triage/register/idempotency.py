"""The same call twice has one effect and one answer (draft-ietf-httpapi-idempotency-key-header-07).

A call claims its key before it works. Whoever comes with the same key meanwhile is told that it runs; once the work is done, its answer is
stored in the work's own transaction and given again. A claim whose process was killed is taken over after ``LEASE`` seconds: its work was
not stored, or the answer would be.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from triage.errors import BusyError, InputError
from triage.register.schema import IDEMPOTENCY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from triage.register.book import Register

RUNNING, DONE = "running", "done"
LEASE = 60.0  # seconds after which a claim without an answer is free; no call takes that long
KEPT = 24.0  # hours that an answer is given again


@dataclass(frozen=True, slots=True)
class Claim:
    """A call that is being worked on. ``scope`` is who calls what: the same key of another caller, or for another call, is another key."""

    scope: str
    key: str
    token: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer that was stored for this key: give it again."""

    answer: str


def claim(register: Register, scope: str, key: str, digest: str, *, lease: float = LEASE) -> Claim | Answered:
    """Claim a key for a call whose body has this ``digest``, or get the answer that it was given before.

    Raises BusyError ("idempotency-running", 409) while another works on it, InputError ("idempotency-key-reused", 422) for another body.
    """
    register.check_key()
    now = datetime.now(UTC)
    with register.writing() as connection:
        connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.expires_at <= _written(now)))
        found = connection.execute(select(IDEMPOTENCY).where(IDEMPOTENCY.c.scope == scope, IDEMPOTENCY.c.key == key)).first()
        if found:
            return _again(register, connection, found, digest, now - timedelta(seconds=lease))
        claimed = Claim(scope, key, secrets.token_hex(16))
        times = {"started_at": _written(now), "expires_at": _written(now + timedelta(hours=KEPT))}
        row = {"scope": scope, "key": key, "token": claimed.token, "digest": digest, "state": RUNNING, "answer": "", "sealed_with": "", "letters": ""}
        connection.execute(IDEMPOTENCY.insert(), row | times)
    return claimed


def _again(register: Register, connection: Connection, found: Row[tuple[str, ...]], digest: str, abandoned: datetime) -> Claim | Answered:
    if found.digest != digest:
        raise InputError(
            "Idempotency-Key: was used for another body. A key stands for one call. Send the same body again, or a new key.", kind="idempotency-key-reused"
        )
    if found.state == DONE:
        return Answered(register.cipher.open(found.sealed_with, found.answer))
    if found.started_at > _written(abandoned):
        raise BusyError("Idempotency-Key: its first call is still running. One at a time is allowed. Try again in a moment.", kind="idempotency-running")
    taken = Claim(found.scope, found.key, secrets.token_hex(16))
    connection.execute(update(IDEMPOTENCY).where(*_is(found.scope, found.key)).values(token=taken.token, started_at=_written(datetime.now(UTC))))
    return taken


def settle(register: Register, connection: Connection, claimed: Claim, answer: str, letters: Sequence[str]) -> None:
    """Store the answer within the transaction of the work. Raises BusyError, which undoes that work, when another took the claim over."""
    values = {"state": DONE, "answer": register.cipher.seal(answer), "sealed_with": register.cipher.id, "letters": f" {' '.join(letters)} "}
    ours = (*_is(claimed.scope, claimed.key), IDEMPOTENCY.c.token == claimed.token, IDEMPOTENCY.c.state == RUNNING)
    if connection.execute(update(IDEMPOTENCY).where(*ours).values(values)).rowcount != 1:
        raise BusyError("Idempotency-Key: another call took this one over. Nothing was stored by this one. Try again in a moment.", kind="idempotency-running")


def release(register: Register, claimed: Claim) -> None:
    """Give a claim back whose work failed, so that the next call need not wait."""
    with register.writing() as connection:
        connection.execute(delete(IDEMPOTENCY).where(*_is(claimed.scope, claimed.key), IDEMPOTENCY.c.token == claimed.token, IDEMPOTENCY.c.state == RUNNING))


def _is(scope: str, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return IDEMPOTENCY.c.scope == scope, IDEMPOTENCY.c.key == key


def _written(when: datetime) -> str:
    return when.isoformat(timespec="microseconds")
