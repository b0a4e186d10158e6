"""Answers as /docs shows them. They are put into the document as they are, since FastAPI leaves out what is null."""

from __future__ import annotations

from typing import Any

from api.registered_schemas import ID
from api.schemas import EXAMPLE_LETTER

_WAGES = {"code": "wages", "name": "拖欠工资", "domain": "劳动和社会保障", "probability": 0.93}
_UNIT = {"code": "human_resources", "name": "人力资源和社会保障局"}
_LABELS = {"category": {"code": "wages", "name": "拖欠工资"}, "purpose": {"code": "appeal", "name": "申诉求决"}, "department": _UNIT}
_AT = "2026-11-22T08:15:30.000000+00:00"
DECISION: dict[str, Any] = {
    "letter": "2026-001873",
    "category": _WAGES,
    "candidates": [_WAGES],
    "purpose": {"code": "appeal", "name": "申诉求决", "probability": 0.97},
    "lead": _UNIT,
    "co_handlers": [{"code": "housing", "name": "住房和城乡建设局"}],
    "disposition": "forward",
    "needs_review": False,
    "reasons": [{"rule": "category", "says": "拖欠工资 → 人力资源和社会保障局"}],
    "why": [{"term": "工钱", "weight": 1.84}, {"term": "包工头", "weight": 0.91}],
    "model": "2026-11-22T08-15-30Z-7f3a",
    "taxonomy": "sha256:0f3c9a1b2d4e5f60",
}
_LISTED: dict[str, Any] = {
    "id": ID,
    "letter": "2026-001873",
    "source": "热线系统",
    "registered_at": _AT,
    "channel": "web",
    "received_at": "2026-11-20",
    "sender": "P-7",
    "place": "石桥镇",
    "characters": 46,
    "repeats": None,
    **_LABELS,
    "review": "none",
    "erased_at": None,
}
_WORDS = {"title": EXAMPLE_LETTER["title"], "body": EXAMPLE_LETTER["body"]}
ANSWERS: dict[str, dict[str, Any]] = {
    "DecisionOut": DECISION,
    "EnteredOut": {"id": ID, "duplicate": False, "repeats": None, "decision": DECISION},
    "PageOut": {"letters": [_LISTED], "next": None},
    "RecordOut": _LISTED | _WORDS | {"decisions": [{"at": _AT, "decision": DECISION}], "corrections": [], "returns": []},
    "CorrectionOut": {"letter": ID, "review": "done"} | _LABELS | {"purpose": None},
    "ReturnOut": {"letter": ID, "review": "returned", "objector": _UNIT, "in_time": True, "due_on": "2026-11-23"},
}
