"""``POST /v1/classify``: a letter in, a decision out. Nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api import access, bodies, described, schemas
from triage.register import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.desk import Desk
    from triage.letter import Decision, Letter

router = APIRouter(prefix="/v1", tags=["分办"])


@router.post("/classify", summary="来信分类", **described.call(described.CLASSIFY))
async def classify(request: Request) -> Response:
    """Decide one letter, or up to 1,000 (`{"letters": [...]}`), in order. An empty or unreadable letter is "not classified", for review."""
    access.caller_of(request).check(keys.CLASSIFY)
    letters, batch = schemas.letters_of(await bodies.json_of(request))
    decisions = [decision.as_dict() for decision in await decided(request, letters)]
    return Response(orjson.dumps({"decisions": decisions} if batch else decisions[0]), media_type="application/json")


async def decided(request: Request, letters: Sequence[Letter]) -> list[Decision]:
    """One decision a letter, by the desk of this request; not on the event loop."""
    return await run_in_threadpool(desk_of(request).decide, letters)


def desk_of(request: Request) -> Desk:
    """The desk that answers this request."""
    desk: Desk = request.app.state.desk
    return desk
