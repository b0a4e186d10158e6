"""The audit trail: one chain of rows, each holding the digest of the one before, so that none can be altered, removed or slipped in unseen.

It holds ids, codes and digests, never a letter's words, so that a letter can be erased and its trail stays.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from triage.errors import RegisterError
from triage.register.cipher import storable
from triage.register.schema import AUDIT, CORRECTIONS, DECISIONS, META, RETURNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Row, Table

HEAD, MOVED = "audit_head", "moved"
STREAMED = {"yield_per": 1_000}  # rows at a time: a register may hold millions
GENESIS = "0" * 64
LAST = 16  # rows that are looked at when only the end is
REGISTER, DECIDE, CORRECT, RETURN, ERASE, PURGE = "register", "decide", "correct", "return", "erase", "purge"
RECORDS: tuple[tuple[Table, tuple[str, ...]], ...] = ((DECISIONS, (REGISTER, DECIDE)), (CORRECTIONS, (CORRECT,)), (RETURNS, (RETURN,)))
# Statements that each letter needs are made once: to make one takes longer than to run it.
_FACTS = select(META.c.name, META.c.value).where(META.c.name.in_((HEAD, MOVED)))
_OF_HEAD = select(META.c.value).where(META.c.name == HEAD)
_END = select(AUDIT).order_by(AUDIT.c.seq.desc()).limit(LAST)
_ADD, _TO_HEAD = AUDIT.insert(), update(META).where(META.c.name == HEAD)
ERASABLE = frozenset({"number", "seq", "why", "sealed_with"})  # columns that no digest covers


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the trail found: ``rows`` in it, its last ``seq`` and ``hash``, and the ``first_bad`` seq with what is wrong."""

    rows: int
    seq: int
    hash: str
    first_bad: int | None = None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {"sound": self.first_bad is None}


def now() -> str:
    """The time as the register writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def append(connection: Connection, who: str, action: str, subject: str = "", **detail: Any) -> int:
    """Add a row within the writing transaction of what it is about, and return its seq. Raises RegisterError when the register was moved away."""
    facts = dict(connection.execute(_FACTS).all())
    check_not_moved(facts)
    last, _, previous = facts[HEAD].partition(" ")
    row = {"seq": int(last) + 1, "at": now(), "who": storable(who), "action": action, "subject": subject, "detail": _canonical(detail), "prev_hash": previous}
    row["row_hash"] = _hash(row)
    connection.execute(_ADD, row)
    connection.execute(_TO_HEAD, {"value": f"{row['seq']} {row['row_hash']}"})
    return int(str(row["seq"]))


def check_not_moved(facts: Mapping[str, str]) -> None:
    """Raise RegisterError when the facts say that the register was moved to another database."""
    if MOVED in facts:
        raise RegisterError(
            f"register: was moved to another database at {facts[MOVED]}. A letter belongs into one register. Set TRIAGE_DATABASE to the new one, and start again.",
            kind="register-moved",
        )


def digest(table: Table, values: Mapping[str, Any]) -> str:
    """The digest of a decision, a correction or a return: of all its columns but those that an erasure empties.

    >>> digest(CORRECTIONS, dict.fromkeys(CORRECTIONS.columns.keys(), "x"))[:12]
    'd90b76b67f82'
    """
    return sha256(_canonical({column.name: values[column.name] for column in table.columns if column.name not in ERASABLE}).encode()).hexdigest()


def verify(connection: Connection, anchor: str = "") -> Verdict:
    """Check the whole chain, and every record against the digest in its row. ``anchor`` is a "SEQ:HASH" noted down earlier."""
    verdict = _chain(connection, anchor)
    if verdict.first_bad is not None:
        return verdict
    seq, problem = min(_bad_records(connection), default=(None, ""))
    return Verdict(verdict.rows, verdict.seq, verdict.hash, seq, problem)


def end(connection: Connection) -> str:
    """What is wrong with the last ``LAST`` rows and where they end; empty when all fits. Quick in a trail of any length; ``verify`` checks it whole."""
    head = connection.execute(_OF_HEAD).scalar_one()
    rows = connection.execute(_END).all()[::-1]
    seq, previous = (rows[0].seq, rows[0].prev_hash) if rows else (1, GENESIS)
    for row in rows:
        if problem := _wrong(row, seq, previous):
            return f"seq {seq}: {problem}"
        seq, previous = seq + 1, row.row_hash
    return "" if head == f"{seq - 1} {previous}" else _other_end(head, seq - 1)


def _other_end(head: str, seq: int) -> str:
    return f"the trail should end at {head.partition(' ')[0]}, and ends at {seq}"


def _chain(connection: Connection, anchor: str) -> Verdict:
    head = connection.execute(_OF_HEAD).scalar_one()
    rows, previous, anchored = 0, GENESIS, not anchor
    with connection.execute(select(AUDIT).order_by(AUDIT.c.seq), execution_options=STREAMED) as trail:
        for row in trail:
            if problem := _wrong(row, rows + 1, previous):
                return Verdict(rows, rows, previous, rows + 1, problem)
            rows, previous = rows + 1, row.row_hash
            anchored |= anchor == f"{rows}:{previous}"
    verdict = Verdict(rows, rows, previous)
    if head != f"{rows} {previous}":
        return Verdict(rows, rows, previous, rows + 1, _other_end(head, rows))
    return verdict if anchored else Verdict(rows, rows, previous, _anchored_seq(anchor), "the trail does not hold the row noted down as its anchor")


def _anchored_seq(anchor: str) -> int:
    seq = anchor.partition(":")[0]
    return int(seq) if seq.isdecimal() else 0


def _wrong(row: Row[Any], seq: int, previous: str) -> str:
    if row.seq != seq:
        return f"row {seq} is missing"
    if row.prev_hash != previous:
        return "does not follow the row before it"
    return "" if row.row_hash == _hash(row._asdict()) else "was altered"


def _bad_records(connection: Connection) -> Iterator[tuple[int, str]]:
    purged = set(connection.execute(select(AUDIT.c.subject).where(AUDIT.c.action == PURGE)).scalars())
    for table, actions in RECORDS:
        joined = AUDIT.outerjoin(table, table.c.seq == AUDIT.c.seq)
        rows = select(AUDIT.c.seq.label("audited"), AUDIT.c.subject, AUDIT.c.detail, *table.columns).select_from(joined)
        for row in connection.execute(rows.where(AUDIT.c.action.in_(actions)), execution_options=STREAMED):
            if row.letter is None and row.subject not in purged:
                yield row.audited, f"its row in {table.name} is missing"
            elif row.letter is not None and json.loads(row.detail)["digest"] != digest(table, row._asdict()):
                yield row.audited, f"its row in {table.name} was altered"


def _hash(row: Mapping[str, Any]) -> str:
    return sha256(_canonical({column.name: row[column.name] for column in AUDIT.columns if column.name != "row_hash"}).encode()).hexdigest()


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
