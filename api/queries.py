"""What a call names: filters of the list in the address, categories and departments by code or by name."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from api.schemas import named
from triage.errors import InputError, TaxonomyError
from triage.register.entries import no_such_letter
from triage.register.listing import MOST, REVIEWS, Filters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from triage.taxonomy import Taxonomy

LIMIT = 50
YEARS = range(1990, 2200)
MOMENT = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}.*)?$"
PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "department": ({"type": "string", "minLength": 1, "example": "人社局"}, "承办单位:代码或名称,旧称亦可"),
    "category": ({"type": "string", "minLength": 1, "example": "wages"}, "类别:代码或名称"),
    "review": ({"type": "string", "enum": list(REVIEWS)}, "复核状态:open 待复核、none 无需复核、done 已复核、returned 被退回"),
    "since": ({"type": "string", "pattern": MOMENT, "example": "2026-11-01"}, "登记时间不早于:日期,或带时区的时刻"),
    "until": ({"type": "string", "pattern": MOMENT, "example": "2026-11-30"}, "登记时间不晚于:日期(含当日),或带时区的时刻(不含)"),
    "limit": ({"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}, "每页几封"),
    "cursor": ({"type": "string", "minLength": 1}, "上一页给出的 next"),
}
DESCRIBED = [{"name": name, "in": "query", "required": False, "schema": schema, "description": says} for name, (schema, says) in PARAMETERS.items()]
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}, "description": "登记号", "example": "7c0f4ad19e3b52868d10"}


def id_of(request: Request) -> str:
    """The register's id in the address. Raises InputError (404) for what cannot be one."""
    found = re.fullmatch(r"[0-9a-f]{20}", request.path_params["id"])
    if found is None:
        raise no_such_letter()
    return found[0]


def page_of(request: Request, taxonomy: Taxonomy) -> tuple[Filters, int, str]:
    """Filters, limit and cursor of a call for the list. Raises InputError that names the parameter, never its value."""
    given = request.query_params.multi_items()
    for name in (name for name, _ in given if name not in PARAMETERS):
        raise InputError(
            f"query: unknown parameter {named(name, list(PARAMETERS))}. Allowed: {', '.join(PARAMETERS)}. Correct the name.", kind="unknown-parameter"
        )
    asked = dict(given)
    for name in (name for name in asked if [other for other, _ in given].count(name) > 1):
        raise _wrong(name, "stands more than once", "It stands once")
    for name in (name for name, value in given if not value):
        raise _wrong(name, "empty", "Without a value it is left out")
    filters = Filters(
        department=department_of(asked["department"], "department", taxonomy) if "department" in asked else "",
        category=code_of(asked["category"], "category", taxonomy.categories) if "category" in asked else "",
        review=_review(asked.get("review", "")),
        since=_moment(asked.get("since", ""), "since"),
        until=_moment(asked.get("until", ""), "until", days=1),
    )
    return filters, _limit(asked.get("limit", str(LIMIT))), asked.get("cursor", "")


def department_of(name: str, field: str, taxonomy: Taxonomy) -> str:
    """The code of a department that letters are sent to, named by code, by name or by a former one. Raises InputError ("unknown-code")."""
    try:
        department = taxonomy.department_named(name)
    except TaxonomyError:
        department = None
    if department is None or not department.route:
        raise InputError(f"{field}: no such department. Codes, names and former names are those of GET /v1/departments. Correct it.", kind="unknown-code")
    return department.code


def code_of(name: str, field: str, known: Mapping[str, Any]) -> str:
    """The code of a category or a purpose, named by code or by name. Raises InputError ("unknown-code")."""
    for code, entry in known.items():
        if name in (code, entry.name):
            return code
    raise InputError(f"{field}: no such {field}. Codes and names are those of GET /v1/categories. Correct it.", kind="unknown-code")


def day_of(text: str, field: str) -> date:
    """A day. Raises InputError for one that no calendar or no office knows."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day.year not in YEARS:
        raise InputError(f"{field}: no day of the calendar. Allowed is YYYY-MM-DD. Correct it.", kind="invalid-days")
    return day


def _review(text: str) -> str:
    if text and text not in REVIEWS:
        raise _wrong("review", "no review state", f"Allowed: {', '.join(REVIEWS)}")
    return text


def _limit(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,4}", text) is None or not 1 <= int(text) <= MOST:
        raise _wrong("limit", f"not a whole number from 1 to {MOST}", "It is how many letters a page has")
    return int(text)


def _moment(text: str, field: str, days: int = 0) -> str:
    """A time as the register writes it, of a day of this office or of a time with its offset; a day is moved on by ``days``."""
    if not text:
        return ""
    try:
        when = _read(text, days) if re.fullmatch(MOMENT, text, re.ASCII) else None
    except (ValueError, OverflowError):
        when = None
    if when is None or when.tzinfo is None or when.year not in YEARS:
        raise _wrong(field, "no day, and no time with its offset from UTC", "Allowed is YYYY-MM-DD, or 2026-11-22T08:00:00+08:00")
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def _read(text: str, days: int) -> datetime:
    if "T" not in text:
        return datetime.combine(date.fromisoformat(text) + timedelta(days), time()).astimezone()
    return datetime.fromisoformat(re.sub(r" (?=\d\d:?\d\d$)", "+", text))  # a plus sign in an address means a blank


def _wrong(field: str, what: str, allowed: str) -> InputError:
    return InputError(f"{field}: {what}. {allowed}. Correct it.", kind="invalid-parameter")
