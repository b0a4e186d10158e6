"""``POST /v1/classify``: a letter in, a decision out. Nothing is stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from api import access, bodies, described, schemas
from triage.register import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.work import Work
    from triage.desk import Desk
    from triage.letter import Decision, Letter

router = APIRouter(prefix="/v1", tags=["分办"])


@router.post("/classify", summary="来信分类", **described.call(described.CLASSIFY))
async def classify(request: Request) -> Response:
    """Decide one letter, or up to 1,000 (`{"letters": [...]}`), in order. An empty or unreadable letter is "not classified", for review."""
    access.caller_of(request).check(keys.CLASSIFY)
    letters, batch = schemas.letters_of(await bodies.json_of(request))
    return Response(await decided(request, letters, batch_of if batch else single_of), media_type="application/json")


CLASSIFY = next(route for route in router.routes if isinstance(route, APIRoute))


async def decided(request: Request, letters: Sequence[Letter], render: Callable[[list[Decision]], Any]) -> Any:
    """What ``render`` makes of the decisions on these letters, by this request's desk, off the event loop. Raises ClientDisconnect when its client has gone."""
    work: Work = request.app.state.work
    request.state.waiting = waiting = work.decide(desk_of(request), letters, render)
    try:
        return await waiting
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task and task.cancelling():  # the server ends; otherwise the wire gave the letters up
            raise
        raise ClientDisconnect from None


def desk_of(request: Request) -> Desk:
    """The desk of this request: the one that was live when it came, and the same to its end."""
    desk: Desk = request.state.desk
    return desk


def single_of(decisions: list[Decision]) -> bytes:
    """The answer to a call with one letter."""
    return orjson.dumps(decisions[0])


def batch_of(decisions: list[Decision]) -> bytes:
    """The answer to a call with several."""
    return orjson.dumps({"decisions": decisions})
