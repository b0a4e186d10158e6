"""Letters out of the register: one with all that was said about it, or a page of many, newest first."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, select

from triage.errors import InputError
from triage.letter import Letter
from triage.register.entries import NONE, OPEN, no_such_letter
from triage.register.schema import CORRECTIONS, DECISIONS, LETTERS, RETURNS
from triage.register.verdicts import DONE, RETURNED, version_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Table

    from triage.register.book import Register

REVIEWS = (OPEN, NONE, DONE, RETURNED)
MOST = 1_000  # letters on a page


@dataclass(frozen=True, slots=True)
class Filters:
    """Which letters: by the codes that hold today, by review state (``REVIEWS``), registered from ``since`` until before ``until``.

    Empty means all. Times are ISO 8601 in UTC; a beginning of one ("2026-11-22") is as good.
    """

    department: str = ""
    category: str = ""
    review: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """A letter as the register has it. ``category``, ``purpose`` and ``department`` are the codes that hold today, whoever said so.

    ``id`` is the register's and ``letter.id`` its source's. ``decisions``, ``corrections`` and ``returns`` are in the order of time and only there for a single letter. ``letter`` has no words when
    the list was not asked for them or when they were erased.
    """

    id: str
    number: int
    letter: Letter
    source: str
    registered_at: str
    characters: int
    repeats: str | None
    category: str
    purpose: str
    department: str
    review: str
    erased_at: str | None
    decisions: tuple[dict[str, Any], ...] = ()
    corrections: tuple[dict[str, Any], ...] = ()
    returns: tuple[dict[str, Any], ...] = ()

    @property
    def version(self) -> str:
        """Which state of the letter this is, of a single letter (``verdicts.correct`` takes it as ``seen``)."""
        return version_of(len(self.decisions), len(self.corrections), len(self.returns))

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Page:
    """Letters, newest first, and the cursor of the page behind them, empty at the end."""

    letters: tuple[Registered, ...]
    next: str


def find(register: Register, letter: str) -> Registered:
    """One letter with its text and all that was said about it. Raises InputError ("no-such-letter", 404), RegisterError without its key."""
    with register.reading() as connection:
        row = connection.execute(select(LETTERS).where(LETTERS.c.id == letter)).first()
        if row is None:
            raise no_such_letter()
        beside = {table.name: _beside(register, connection, table, letter) for table in (DECISIONS, CORRECTIONS, RETURNS)}
    return _registered(register, row, texts=True, **beside)


def page(register: Register, filters: Filters, *, limit: int = 50, cursor: str = "", texts: bool = False) -> Page:
    """A page of at most ``limit`` letters. ``texts`` asks for their words, which may need the key.

    Letters that come in meanwhile change no page that is still to come. Raises InputError for a cursor of other filters or of another
    register, and for an unknown review state.
    """
    if filters.review and filters.review not in REVIEWS:
        raise InputError(f'review: "{filters.review[:40]}" is no review state. Allowed: {", ".join(REVIEWS)}. Correct it.', kind="invalid-parameter")
    if not 1 <= limit <= MOST:
        raise InputError(f"limit: {limit} is out of range. Allowed is 1 to {MOST}. Correct it.", kind="invalid-parameter")
    wanted = _wanted(filters)
    if cursor:
        wanted = wanted.where(LETTERS.c.number < _opened(register, filters, cursor))
    with register.reading() as connection:
        rows = connection.execute(wanted.order_by(LETTERS.c.number.desc()).limit(limit + 1)).all()
    following = _sealed(register, filters, rows[limit - 1].number) if len(rows) > limit else ""
    return Page(tuple(_registered(register, row, texts=texts) for row in rows[:limit]), following)


def _wanted(filters: Filters) -> Select[Any]:
    wanted = select(LETTERS)
    for name in ("department", "category", "review"):
        if value := getattr(filters, name):
            wanted = wanted.where(LETTERS.c[name] == value)
    if filters.since:
        wanted = wanted.where(LETTERS.c.registered_at >= filters.since)
    return wanted.where(LETTERS.c.registered_at < filters.until) if filters.until else wanted


def _registered(register: Register, row: Row[Any], *, texts: bool, **beside: Any) -> Registered:
    title, body = (register.cipher.open(row.sealed_with, part) if texts else "" for part in (row.title, row.body))
    letter = Letter(body, title, row.source_id or "", row.channel, row.received_at, row.sender, row.place)
    state = {name: getattr(row, name) for name in ("source", "registered_at", "characters", "repeats", "category", "purpose", "department", "review")}
    return Registered(row.id, row.number, letter, **state, erased_at=row.erased_at, **beside)


def _beside(register: Register, connection: Connection, table: Table, letter: str) -> tuple[dict[str, Any], ...]:
    rows = connection.execute(select(table).where(table.c.letter == letter).order_by(table.c.number)).mappings().all()
    return tuple(_said(register, {str(name): value for name, value in row.items()}) for row in rows)


def _said(register: Register, row: dict[str, Any]) -> dict[str, Any]:
    row["why"] = register.cipher.open(row.pop("sealed_with"), row["why"])
    for name in ("number", "letter", "seq"):
        del row[name]
    if "content" in row:
        decision = json.loads(row["content"])
        return {"at": row["at"], "decision": decision | {"why": json.loads(row["why"] or "[]")}}
    return row


def _sealed(register: Register, filters: Filters, number: int) -> str:
    content = f"{number}".encode()
    return base64.urlsafe_b64encode(content + b"." + _seal(register, filters, content)).decode().rstrip("=")


def _opened(register: Register, filters: Filters, cursor: str) -> int:
    try:
        content, _, seal = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).partition(b".")
    except ValueError:
        content, seal = b"", b""
    if not hmac.compare_digest(seal, _seal(register, filters, content)):
        raise InputError(
            "cursor: is none of this list. A cursor belongs to the filters it was made for. Begin again without one.", kind="bad-cursor", status=400
        )
    return int(content)


def _seal(register: Register, filters: Filters, content: bytes) -> bytes:
    message = json.dumps([content.decode("latin-1"), asdict(filters)], sort_keys=True).encode()
    return hmac.new(register.facts["cursor_key"].encode(), message, hashlib.sha256).digest()[:16]
