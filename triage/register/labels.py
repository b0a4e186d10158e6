"""What persons said in the register, as labels to learn from: the category that the latest of them gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import literal, select, union_all

from triage.letter import Letter
from triage.register.schema import CORRECTIONS, LETTERS, RETURNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.register.book import Register


@dataclass(frozen=True, slots=True)
class Said:
    """A letter with the category that a person gave or confirmed, and the purpose, empty where nobody gave one."""

    letter: Letter
    category: str
    purpose: str
    where: str


def said(register: Register) -> Iterator[Said]:
    """Every letter whose category a correction or a return in time names, in the order of registration; erased ones have no words to learn from.

    A return that came late is an opinion and no label. Raises RegisterError without the key.
    """
    columns = ("letter", "seq", "category")
    corrections = select(*(CORRECTIONS.c[name] for name in columns), CORRECTIONS.c.purpose)
    returns = select(*(RETURNS.c[name] for name in columns), literal("").label("purpose")).where(RETURNS.c.in_time)
    verdicts = union_all(corrections, returns).subquery()
    wanted = select(LETTERS, verdicts.c.category.label("said"), verdicts.c.purpose.label("meant"))
    wanted = wanted.join(verdicts, verdicts.c.letter == LETTERS.c.id).where(LETTERS.c.erased_at.is_(None))
    with register.reading() as connection:
        found: dict[str, Said] = {}
        for row in connection.execute(wanted.order_by(LETTERS.c.number, verdicts.c.seq)):
            before = found.get(row.id)
            if before is None:
                title, body = (register.cipher.open(row.sealed_with, part) for part in (row.title, row.body))
                before = Said(Letter(body, title, row.id, sender=row.sender), "", "", f"register letter {row.id}")
            found[row.id] = Said(before.letter, row.said or before.category, row.meant or before.purpose, before.where)
    yield from (label for label in found.values() if label.category)
