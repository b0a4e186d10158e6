"""The register's tables, as the newest migration leaves them (``tests/test_migrations.py`` holds the two together).

Times are UTC in ISO 8601 with microseconds, as text: the same on both engines, and text order is time order. What may hold a letter's
words (title, body, why) is sealed when the office has a key; ``sealed_with`` is that key's id, empty for plain text.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, Table, Text

VERSION = "0003"
KNOWN_VERSIONS = ("0001", "0002", "0003")

METADATA = MetaData()
NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def _number(name: str) -> Column[int]:
    return Column(name, NUMBER, primary_key=True, autoincrement=True)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


LETTERS = Table(
    "letters",
    METADATA,
    _number("number"),  # the order of registration, which no clock can turn round
    Column("id", Text, nullable=False, unique=True),
    _text("source"),
    _text("source_id", null=True),  # the intake system's own id; null where it gives none
    _text("channel"),
    _text("received_at"),
    _text("sender"),
    _text("place"),
    _text("title"),
    _text("body"),
    _text("sealed_with"),
    Column("characters", Integer, nullable=False),
    _text("mark", null=True),  # salted digest of the text without blanks and marks; null once the text is erased
    _text("repeats", null=True),  # the id of the first letter of the same matter
    _text("registered_at"),
    _text("category"),  # what holds today: the decision, or what persons said after it
    _text("purpose"),
    _text("department"),
    _text("review"),  # listing.REVIEWS
    _text("erased_at", null=True),
    sqlite_autoincrement=True,
)
Index("letters_by_source", LETTERS.c.source, LETTERS.c.source_id, unique=True)
Index("letters_by_sender", LETTERS.c.sender, LETTERS.c.number)
Index("letters_by_department", LETTERS.c.department, LETTERS.c.number)
Index("letters_by_category", LETTERS.c.category, LETTERS.c.number)
Index("letters_by_review", LETTERS.c.review, LETTERS.c.number)
Index("letters_by_time", LETTERS.c.registered_at)

AUDIT = Table(
    "audit",
    METADATA,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    _text("at"),
    _text("who"),
    _text("action"),
    _text("subject"),
    _text("detail"),  # JSON of ids, codes and digests, never of words
    _text("prev_hash"),
    _text("row_hash"),
)


def _beside_letters(name: str, *columns: Column[str] | Column[bool]) -> Table:
    """A table of what was said about letters: rows are added; only erasure touches their words, and only a purge takes them away."""
    letter: Column[str] = Column("letter", Text, ForeignKey("letters.id"), nullable=False, index=True)
    seq: Column[int] = Column("seq", NUMBER, ForeignKey("audit.seq"), nullable=False, unique=True)
    return Table(name, METADATA, _number("number"), letter, seq, _text("at"), *columns, _text("why"), _text("sealed_with"), sqlite_autoincrement=True)


DECISIONS = _beside_letters(
    "decisions",
    _text("category"),
    _text("purpose"),
    _text("department"),
    Column("needs_review", Boolean, nullable=False),
    _text("model", null=True),
    _text("taxonomy"),
    _text("content"),  # the whole decision as JSON, without its ``why``
)
CORRECTIONS = _beside_letters("corrections", _text("who"), _text("category"), _text("purpose"), _text("department"))
RETURNS = _beside_letters(
    "returns",
    _text("who"),
    _text("objector"),  # the department that holds the letter is not its remit
    _text("category"),
    _text("department"),  # where it belongs instead, empty when the objector does not say
    _text("forwarded_on"),
    _text("returned_on"),
    _text("due_on"),
    Column("in_time", Boolean, nullable=False),
)

META = Table("meta", METADATA, Column("name", Text, primary_key=True), _text("value"))
RETENTION = Table("retention", METADATA, _number("number"), Column("days", Integer, nullable=False), _text("who"), _text("at"), sqlite_autoincrement=True)
IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _text("digest"),
    _text("token"),
    _text("state"),
    _text("answer"),
    _text("sealed_with"),
    _text("letters"),  # " id id ", so that a purge finds the answers of a letter
    _text("started_at"),
    _text("expires_at"),
)
KEYS = Table(
    "api_keys",
    METADATA,
    _number("number"),
    Column("id", Text, nullable=False, unique=True),  # stands in the key itself, in lists and in the audit trail
    _text("name"),  # whose key it is: keys of one name are one caller
    _text("role"),
    _text("digest"),  # SHA-256 of the key, which itself is stored nowhere
    _text("made_at"),
    _text("made_by"),
    _text("expires_at", null=True),
    _text("revoked_at", null=True),
    _text("revoked_by", null=True),
    sqlite_autoincrement=True,
)

TABLES = (META, AUDIT, LETTERS, DECISIONS, CORRECTIONS, RETURNS, RETENTION, IDEMPOTENCY, KEYS)  # in an order that foreign keys allow
