"""What is known and what is live: categories, departments, models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api import access, described, schemas
from api.letters import desk_of
from api.models import rows_of
from triage import routing
from triage.register import keys

if TYPE_CHECKING:
    from triage.taxonomy import Taxonomy

router = APIRouter(prefix="/v1", tags=["目录"])


@router.get("/categories", summary="类别", **described.call(described.CATEGORIES))
async def categories(request: Request) -> list[schemas.CategoryListed]:
    """The categories of the office's taxonomy, each with its lead and co-handlers."""
    access.caller_of(request)
    taxonomy = desk_of(request).taxonomy
    return [
        schemas.CategoryListed(
            code=category.code,
            name=category.name,
            domain=taxonomy.domain_of(category.code).name,
            covers=category.covers,
            lead=_label(taxonomy, category.lead),
            co_handlers=[_label(taxonomy, code) for code in category.co_handlers],
        )
        for category in taxonomy.categories.values()
    ]


@router.get("/departments", summary="承办单位", **described.call(described.DEPARTMENTS))
async def departments(request: Request) -> list[schemas.DepartmentListed]:
    """The departments that letters are sent to, with the other and former names under which calls may name them."""
    access.caller_of(request)
    known = desk_of(request).taxonomy.departments
    return [schemas.DepartmentListed(code=unit.code, name=unit.name, aliases=list(unit.aliases)) for unit in known.values() if unit.route]


@router.get("/models", summary="模型版本", **described.call(described.MODELS))
async def models(request: Request) -> schemas.ModelsOut:
    """Every version of the model, which one is live, and which one this process decides with."""
    access.caller_of(request).check(keys.MODELS)
    live, rows = await run_in_threadpool(rows_of, request.app.state.settings.home)
    return schemas.ModelsOut(live=live, serving=desk_of(request).version, models=[schemas.ModelListed(**_shown(row)) for row in rows])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what only the office's own stewards need: the places of files stand in a problem's text."""
    return {name: row[name] for name in schemas.ModelListed.model_fields if name != "sound"} | {"sound": not row["problem"]}


def _label(taxonomy: Taxonomy, code: str) -> schemas.LabelOut:
    label = routing.labels([code], taxonomy)[0]
    return schemas.LabelOut(code=label.code, name=label.name)
