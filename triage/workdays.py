"""Working days: weekends and the State Council's holidays, read from ``holidays.toml``, which an office may replace."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from triage.errors import TaxonomyError
from triage.taxonomy import path_of

if TYPE_CHECKING:
    from pathlib import Path

FILE = "holidays.toml"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days that are ``free`` in the week, days of weekends on which one has to ``work``, and the working days of an objection."""

    free: frozenset[date]
    work: frozenset[date]
    objection_days: int

    def is_working(self, day: date) -> bool:
        """Whether offices are open. A year that the file does not know has its weekends only.

        >>> [load(None).is_working(date(2026, 10, day)) for day in (7, 8, 10, 11)]
        [False, True, True, False]
        """
        return day in self.work or (day.weekday() < 5 and day not in self.free)

    def after(self, day: date, working_days: int) -> date:
        """The last day of a period of so many working days that begins after ``day``.

        >>> load(None).after(date(2026, 9, 30), 5).isoformat()
        '2026-10-13'
        """
        while working_days > 0:
            day += DAY
            working_days -= self.is_working(day)
        return day

    def objection_due(self, forwarded: date) -> date:
        """The last day on which a unit can object to a letter forwarded to it (信访工作条例 23)."""
        return self.after(forwarded, self.objection_days)


def load(home: Path | None) -> Calendar:
    """The office's calendar, or the shipped one. Raises TaxonomyError that names file and entry."""
    path = path_of(FILE, home)
    try:
        raw = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
        days = {name: frozenset(day for entry in raw[name] for day in _days(entry)) for name in ("free", "work")}
        return Calendar(days["free"], days["work"], int(raw["objection_days"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a TOML error is a ValueError too
        raise TaxonomyError(
            f'{path}: {error}. It needs "free" and "work", lists of "YYYY-MM-DD" or "YYYY-MM-DD/YYYY-MM-DD", and objection_days. Correct it, or remove it to use the shipped one.'
        ) from error


def _days(entry: str) -> list[date]:
    first, _, last = entry.partition("/")
    start, end = date.fromisoformat(first), date.fromisoformat(last or first)
    return [start + number * DAY for number in range((end - start).days + 1)]
