"""Letters' words are kept as long as they are needed, and no longer: erased after a period, or taken away at a person's wish."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, or_, select, update

from triage.errors import InputError
from triage.register import audit, idempotency
from triage.register.cipher import storable
from triage.register.faults import faults
from triage.register.schema import CORRECTIONS, DECISIONS, IDEMPOTENCY, LETTERS, RETENTION, RETURNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table

    from triage.register.book import Register

BESIDE = (DECISIONS, CORRECTIONS, RETURNS)
PART = 500  # letters of one transaction or statement
EMPTIED = ("title", "body", "place")


def keep_for(register: Register, days: int, who: str) -> None:
    """Set how many days after registration letters keep their words. Raises InputError for less than one day."""
    if days < 1:
        raise InputError(f"days: {days} is too few. A letter is kept for at least one day. Correct it.", kind="invalid-period")
    with register.writing() as connection:
        audit.append(connection, who, "retention", days=days)
        connection.execute(RETENTION.insert().values(days=days, who=storable(who), at=audit.now()))


def period(register: Register) -> int | None:
    """The days that were set last, None when none were."""
    with register.reading() as connection:
        return connection.execute(select(RETENTION.c.days).order_by(RETENTION.c.number.desc()).limit(1)).scalar()


def erase(register: Register, who: str) -> int:
    """Erase the words of all letters that are older than the period, and return how many they were. Needs no key.

    What statistics count stays: categories, departments, days, first and repeated letters, and how many senders. Senders become marks that
    tell one from another and nothing else. Raises InputError when no period is set.
    """
    days = period(register)
    if days is None:
        raise InputError("retention: no period is set. Nothing is erased without one. Run `triage register erase --days DAYS`.", kind="no-period")
    before = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
    erased = 0
    while part := _erase(register, before, who):
        erased += part
    _tidy(register)
    return erased


def _erase(register: Register, before: str, who: str) -> int:
    """Erase some of them in one transaction, so that intake waits for a moment only; returns how many."""
    old = select(LETTERS.c.id, LETTERS.c.sender).where(LETTERS.c.registered_at < before, LETTERS.c.erased_at.is_(None)).order_by(LETTERS.c.number)
    with register.writing() as connection:
        letters = connection.execute(old.limit(PART)).all()
        for letter in letters:
            emptied: dict[str, Any] = {"sealed_with": "", "mark": None, "erased_at": audit.now(), "sender": _mark(register, letter.sender)}
            emptied |= dict.fromkeys(EMPTIED, "")
            connection.execute(update(LETTERS).where(LETTERS.c.id == letter.id), emptied)
            audit.append(connection, who, audit.ERASE, letter.id)
        _forget(connection, [letter.id for letter in letters], gone=False)
    return len(letters)


def purge(register: Register, sender: str, who: str) -> list[str]:
    """Take away every letter of one person with all that was said about it, and return their ids; the audit trail keeps only those.

    Needs no key. Files that were exported before, backups and tables for training, are to be looked for by these ids (docs/register.md).
    Raises InputError for an empty sender.
    """
    if not sender:
        raise InputError("sender: empty. Letters without a sender are nobody's. Give the reference that intake uses for the person.", kind="no-sender")
    with register.writing() as connection:
        theirs = or_(LETTERS.c.sender == storable(sender), LETTERS.c.sender == _mark(register, sender))
        letters = list(connection.execute(select(LETTERS.c.id).where(theirs).order_by(LETTERS.c.number)).scalars())
        for letter in letters:
            audit.append(connection, who, audit.PURGE, letter)
        _forget(connection, letters, gone=True)
    _tidy(register)
    return letters


def reseal(register: Register, who: str) -> int:
    """Seal again, with the first key, whatever is sealed with another or with none; returns how many rows that were. Then the old key can go."""
    register.check_key()
    count = 0
    for table, texts in ((LETTERS, ("title", "body")), *((table, ("why",)) for table in BESIDE)):
        while part := _reseal(register, table, texts):
            count += part
    with register.writing() as connection:
        connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.sealed_with != register.cipher.id, IDEMPOTENCY.c.state == idempotency.DONE))
        audit.append(connection, who, "reseal", key=register.cipher.id, rows=count)
    _tidy(register)
    return count


def _reseal(register: Register, table: Table, texts: Sequence[str]) -> int:
    """Seal some rows again in one transaction; returns how many."""
    own, cipher = register.cipher.id, register.cipher
    others = select(table).where(table.c.sealed_with != own, or_(*(table.c[name] != "" for name in texts)))
    with register.writing() as connection:
        rows = connection.execute(others.limit(PART)).mappings().all()
        for row in rows:
            sealed = {name: cipher.seal(cipher.open(row["sealed_with"], row[name])) for name in texts}
            connection.execute(update(table).where(table.c.number == row["number"]), sealed | {"sealed_with": own})
    return len(rows)


def _forget(connection: Connection, letters: Sequence[str], *, gone: bool) -> None:
    """Take away the words that were said about letters, or, when they are ``gone``, the rows themselves; stored answers go in both cases."""
    for letter in letters:
        connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.letters.contains(f" {letter} ", autoescape=True)))
    for part in (letters[at : at + PART] for at in range(0, len(letters), PART)):
        for table in BESIDE:
            about = table.c.letter.in_(part)
            connection.execute(delete(table).where(about) if gone else update(table).where(about).values(why="", sealed_with=""))
        if gone:
            connection.execute(update(LETTERS).where(LETTERS.c.repeats.in_(part)).values(repeats=None))
            connection.execute(delete(LETTERS).where(LETTERS.c.id.in_(part)))


def _mark(register: Register, sender: str) -> str:
    """What stands for a sender once the letter is erased; none stands for none."""
    if not sender or sender.startswith("erased:"):
        return sender
    return "erased:" + blake2b(storable(sender).encode(), key=register.facts["salt"].encode(), digest_size=12).hexdigest()


def _tidy(register: Register) -> None:
    """Have SQLite's log and PostgreSQL's dead rows hold nothing of what was erased."""
    with faults(register.place), closing(register.engine.raw_connection()) as connection:
        if register.engine.dialect.name == "sqlite":
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        connection.driver_connection.autocommit = True  # type: ignore[union-attr]  # psycopg's
        for table in (LETTERS, *BESIDE, IDEMPOTENCY):
            connection.cursor().execute(f"VACUUM {table.name}")
        connection.driver_connection.autocommit = False  # type: ignore[union-attr]
