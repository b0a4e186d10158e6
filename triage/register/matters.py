"""Repeats: a letter is a repeat 重信 of the first letter 初信 of its matter when the same sender wrote nearly the same before.

Two letters are of one matter when their texts are the same but for blanks, marks and case, or when their runs of four characters, digits
left out, are mostly the same: the measure and the bound are those of ``training.duplicates``, which were chosen on real letters. A letter
without a sender repeats nothing, since nobody can say whose it is.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from triage.register.schema import LETTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from triage.register.book import Register

RUN, ALIKE = 4, 0.6  # as training.duplicates
LATEST = 50  # matters of one sender that are compared; a sender of more is no person
READ = 20_000  # characters of a letter that are compared
_THEIRS = LETTERS.c.sender == bindparam("sender")
_SAME = select(LETTERS.c.id, LETTERS.c.repeats).where(_THEIRS, LETTERS.c.mark == bindparam("mark")).order_by(LETTERS.c.number).limit(1)
_UNERASED = select(LETTERS.c.id, LETTERS.c.title, LETTERS.c.body, LETTERS.c.sealed_with).where(LETTERS.c.mark.is_not(None))
_FIRSTS = _UNERASED.where(_THEIRS, LETTERS.c.repeats.is_(None)).order_by(LETTERS.c.number.desc()).limit(LATEST)
_BARE = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")


def bare(text: str) -> str:
    """The text without blanks, marks and case.

    >>> bare("工资 一分没发！ ＡＢ")
    '工资一分没发ab'
    """
    return _BARE.sub("", unicodedata.normalize("NFKC", text).casefold())


def mark(salt: str, text: str) -> str:
    """A salted digest, the same for texts that are the same when bare."""
    return blake2b(bare(text).encode("utf-8", "surrogatepass"), key=salt.encode(), digest_size=16).hexdigest()


def alike(one: str, other: str) -> bool:
    """Whether two texts are nearly the same.

    >>> alike("路灯3月1日坏了, 至今没有人来修", "路灯5月8日坏了，至今没有人来修！"), alike("路灯坏了没人修", "拖欠工资不给")
    (True, False)
    """
    runs, others = _runs(one), _runs(other)
    return bool(runs and others) and len(runs & others) >= ALIKE * len(runs | others)


def first(connection: Connection, register: Register, sender: str, text: str) -> str | None:
    """The id of the first letter of the matter that this text is about, None when this is the first one."""
    if not sender or not bare(text):
        return None
    if found := connection.execute(_SAME, {"sender": sender, "mark": mark(register.facts["salt"], text)}).first():
        return found.repeats or str(found.id)
    return next((letter for letter, written in _matters(connection, register, sender) if alike(text, written)), None)


def _matters(connection: Connection, register: Register, sender: str) -> Iterator[tuple[str, str]]:
    for row in connection.execute(_FIRSTS, {"sender": sender}).all():
        yield row.id, "\n".join(register.cipher.open(row.sealed_with, part) for part in (row.title, row.body))


def _runs(text: str) -> set[str]:
    letters = _DIGITS.sub("", bare(text[:READ]))
    return {letters[at : at + RUN] for at in range(len(letters) - RUN + 1)}
