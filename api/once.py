"""``Idempotency-Key``: the same call twice has one effect and one answer (draft-ietf-httpapi-idempotency-key-header-07)."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from anyio import CancelScope
from fastapi import Response

from triage.errors import InputError, TriageError
from triage.register import idempotency
from triage.register.idempotency import Answered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from api.access import Caller
    from api.opened import Door
    from triage.register.idempotency import Claim

LEASE = 15.0  # seconds after which the call of a process that was killed may be made again; one that is only slow then stores nothing
REPLAYED = "Idempotency-Replayed"
HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": '^(?:[!#-~]{1,255}|"[!#-~]{1,255}")$'},
    "description": "重试时用同一个值,只登记一次,得同一答复;答复保留 24 小时",
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is given and stored."""

    status: int
    body: dict[str, Any]
    location: str = ""

    def stored(self) -> str:
        """As text, for repeats of the call."""
        return orjson.dumps([self.status, self.location, self.body]).decode()

    def response(self, *, replayed: bool = False) -> Response:
        """As it goes out."""
        headers = ({"Location": self.location} if self.location else {}) | ({REPLAYED: "true"} if replayed else {})
        return Response(orjson.dumps(self.body), self.status, headers, "application/json")


async def answered(request: Request, caller: Caller, body: Any, work: Callable[[Claim | None], Awaitable[Answer]]) -> Response:
    """Do the work of a call once for its Idempotency-Key, or every time when it has none. What failed gives its key back.

    Raises InputError for a bad key (400) or one of another body (422), BusyError (409) while the first call runs.
    """
    key = key_of(request)
    if not key:
        return (await work(None)).response()
    door: Door = request.app.state.door
    scope = f"{caller.name} {request.method} {request.scope['path']}"
    digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
    claim = await door.call(lambda: idempotency.claim(door.register(), scope, key, digest, lease=LEASE))
    if isinstance(claim, Answered):
        return Answer(*_parts(claim.answer)).response(replayed=True)
    answer = None
    try:
        answer = await work(claim)
    finally:
        if answer is None:
            await _give_back(door, claim)
    return answer.response()


async def _give_back(door: Door, claim: Claim) -> None:
    """Even of a call that was cancelled; what cannot be given back ends by itself after a minute."""
    with CancelScope(shield=True), suppress(TriageError):
        await door.call(lambda: idempotency.release(door.register(), claim))


def key_of(request: Request) -> str:
    """The key, empty for none; the quotes of a structured field are not part of it. Raises InputError ("bad-idempotency-key", 400)."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return ""
    found = re.fullmatch(r'(?:([!#-~]{1,255})|"([!#-~]{1,255})")', given[0].strip())
    if len(given) > 1 or found is None:
        raise InputError(
            "Idempotency-Key: not 1 to 255 printable ASCII characters. It stands once. Send one, a UUID for example.", kind="bad-idempotency-key", status=400
        )
    return found[1] or found[2]


def _parts(stored: str) -> tuple[int, dict[str, Any], str]:
    status, location, body = orjson.loads(stored)
    return status, body, location
