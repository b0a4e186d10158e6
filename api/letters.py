"""``POST /v1/classify``: a letter in, a decision out. Nothing is stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from api import schemas
from triage.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.work import Work
    from triage.desk import Desk
    from triage.letter import Decision, Letter

router = APIRouter(prefix="/v1")

_LETTER = schemas.LetterIn.model_json_schema()
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    _LETTER,
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["letters"],
                        "properties": {"letters": {"type": "array", "items": _LETTER, "minItems": 1, "maxItems": schemas.MAX_LETTERS}},
                    },
                ]
            },
            "examples": {
                "一封来信": {"value": schemas.EXAMPLE_LETTER},
                "一批来信": {"value": {"letters": [schemas.EXAMPLE_LETTER, {"text": "小区电梯坏了半个月没人修,物业说没钱。"}]}},
            },
        }
    },
}
_PROBLEM = {"model": schemas.Problem, "content": {"application/problem+json": {}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": schemas.DecisionOut | schemas.DecisionsOut, "description": "一封来信得一份分办意见;一批来信得同序的一批"},
    400: _PROBLEM | {"description": "请求体为空或不是 JSON"},
    413: _PROBLEM | {"description": "请求体超过 TRIAGE_MAX_BODY"},
    415: _PROBLEM | {"description": "请求体不是 application/json"},
    408: _PROBLEM | {"description": "30 秒内没有收到完整请求,连接随即关闭"},
    422: _PROBLEM | {"description": "字段不符合要求"},
    431: _PROBLEM | {"description": "请求头超过 100 个或 32 KiB"},
    503: _PROBLEM | {"description": "正在启动、正在停止或过于繁忙;按 Retry-After 的秒数再试", "headers": {"Retry-After": {"schema": {"type": "integer"}}}},
}


@router.post("/classify", summary="来信分类", responses=_ANSWERS, openapi_extra={"requestBody": _BODY})
async def classify(request: Request) -> Response:
    """Decide one letter, or up to 1,000 (`{"letters": [...]}`), in order. An empty or unreadable letter is "not classified", for review."""
    letters, batch = schemas.letters_of(await _json(request))
    return Response(await decided(request, letters, _batch if batch else _single), media_type="application/json")


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


def _single(decisions: list[Decision]) -> bytes:
    return orjson.dumps(decisions[0])


def _batch(decisions: list[Decision]) -> bytes:
    return orjson.dumps({"decisions": decisions})


async def _json(request: Request) -> Any:
    """The body as JSON: UTF-8, strict, within the size limit. Raises InputError, never with a word of the body."""
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    charset = [value.partition("=")[2].strip().strip('"') for value in parameters if value.strip().startswith("charset")]
    if kind.strip() != "application/json" or charset not in ([], ["utf-8"]) or request.headers.get("content-encoding", "identity") != "identity":
        raise InputError(
            "Content-Type: not plain application/json in UTF-8. Allowed is application/json. Set the header and send JSON.",
            kind="unsupported-media-type",
            status=415,
        )
    body = (await _body(request, request.app.state.settings.max_body)).removeprefix(b"\xef\xbb\xbf")
    if not body.strip():
        raise InputError("body: empty. A letter or a batch of letters is needed. Send JSON as /docs shows.", kind="empty-body", status=400)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"body: not valid JSON in UTF-8 (line {error.lineno}, column {error.colno}). See RFC 8259. Correct it.", kind="invalid-json", status=400
        ) from None


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise InputError(
                f"body: more than {limit} bytes. TRIAGE_MAX_BODY is the limit. Send fewer letters in a call, or raise it.", kind="body-too-large", status=413
            )
    return bytes(body)
