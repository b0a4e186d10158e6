"""Statistics of the register (信访工作条例 41): letters and persons, by category, domain and department, against the same time a year before."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, case, distinct, func, select

from triage.register.schema import DECISIONS, LETTERS, RETURNS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from triage.register.book import Register
    from triage.taxonomy import Taxonomy


def statistics(register: Register, since: str, until: str, taxonomy: Taxonomy) -> dict[str, Any]:
    """Figures of the letters registered from ``since`` until before ``until`` (ISO 8601 in UTC, at least YYYY-MM-DD). Needs no key.

    ``persons`` counts senders; each letter without one counts as a person of its own. ``year_before`` holds the totals of the same time
    a year earlier. Of ``departments``: to how many letters the desk named it, how many of those it gave back, and which part was right
    the first time, that is never given back and with the same department today.
    """
    with register.reading() as connection:
        during = _during(since, until)
        totals = _totals(connection, during)
        categories = _counts(connection, during, LETTERS.c.category)
        domains: dict[str, int] = {}
        for code, count in categories.items():
            domain = taxonomy.domain_of(code).code if code in taxonomy.categories else ""
            domains[domain] = domains.get(domain, 0) + count
        return {
            "since": since,
            "until": until,
            **totals,
            "year_before": _totals(connection, _during(year_before(since), year_before(until))),
            "categories": categories,
            "domains": domains,
            "purposes": _counts(connection, during, LETTERS.c.purpose),
            "reviews": _counts(connection, during, LETTERS.c.review),
            "departments": _departments(connection, during),
        }


def year_before(when: str) -> str:
    """The same time a year earlier.

    >>> year_before("2026-11-22"), year_before("2028-02-29T08:00:00+00:00")
    ('2025-11-22', '2027-02-28T08:00:00+00:00')
    """
    day = date.fromisoformat(when[:10])
    leap = (day.month, day.day) == (2, 29)
    return (day - timedelta(days=leap)).replace(year=day.year - 1).isoformat() + when[10:]


def _during(since: str, until: str) -> ColumnElement[bool]:
    return and_(LETTERS.c.registered_at >= since, LETTERS.c.registered_at < until)


def _totals(connection: Connection, during: ColumnElement[bool]) -> dict[str, int]:
    person = case((LETTERS.c.sender == "", LETTERS.c.id), else_=LETTERS.c.sender)
    columns = (func.count(), func.count(distinct(person)), func.count(LETTERS.c.repeats), func.count(LETTERS.c.erased_at))
    letters, persons, repeats, erased = connection.execute(select(*columns).select_from(LETTERS).where(during)).one()
    return {"letters": letters, "persons": persons, "first": letters - repeats, "repeats": repeats, "erased": erased}


def _counts(connection: Connection, during: ColumnElement[bool], column: ColumnElement[str]) -> dict[str, int]:
    rows = connection.execute(select(column, func.count()).where(during).group_by(column).order_by(func.count().desc(), column))
    return dict(rows.all())


def _departments(connection: Connection, during: ColumnElement[bool]) -> dict[str, dict[str, Any]]:
    """By the first decision's department: what a machine said first is what is judged."""
    first = select(func.min(DECISIONS.c.number)).group_by(DECISIONS.c.letter)
    returned = select(RETURNS.c.letter).where(RETURNS.c.letter == LETTERS.c.id, RETURNS.c.objector == DECISIONS.c.department).exists()
    right = and_(~returned, LETTERS.c.department == DECISIONS.c.department)
    columns = (DECISIONS.c.department, func.count(), func.sum(case((returned, 1), else_=0)), func.sum(case((right, 1), else_=0)))
    joined = DECISIONS.join(LETTERS, LETTERS.c.id == DECISIONS.c.letter)
    rows = select(*columns).select_from(joined).where(during, DECISIONS.c.number.in_(first)).group_by(DECISIONS.c.department)
    return {
        code: {"letters": letters, "returns": int(back), "first_time_right": round(int(held) / letters, 4)}
        for code, letters, back, held in connection.execute(rows.order_by(func.count().desc(), DECISIONS.c.department))
    }
