"""``/v1/archives``: a file of letters in, progress, a file of decisions out. The work is done by a process of its own (``triage.archive.orders``)."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from api import access, described
from api.archive import Headers
from triage.archive import orders
from triage.archive.job import refused_place
from triage.archive.parts import storing
from triage.errors import InputError, UsageError
from triage.register import keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BODIES = 125  # times as large as another body a file of letters may be: 1 GB with the default
BLOCK = 1 << 20  # bytes of an upload that are written at a time


class Form(StrEnum):
    """The format of the output."""

    csv = "csv"
    xlsx = "xlsx"
    jsonl = "jsonl"
    parquet = "parquet"


class AskedIn(BaseModel):
    """What is asked of an archive, beside the file itself."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=1_000, description="文件名,只用来显示和识别扩展名", examples=["来信2026.xlsx"])
    form: Form = Field(Form.csv, description="结果格式")
    headers: Headers = Field(Headers.zh, description="新增各列用中文还是英文名")
    text: str = Field("", max_length=200, description="正文列名,默认自动识别")
    title: str = Field("", max_length=200, description="标题列名")
    id: str = Field("", max_length=200, description="编号列名")
    sheet: str = Field("", max_length=200, description="工作表名")
    encoding: str = Field("", max_length=40, description="文字编码,默认自动识别")


class Failure(BaseModel):
    """Why an archive could not be decided."""

    kind: str
    detail: str


class ArchiveOut(BaseModel):
    """An archive: ``state`` is queued, running, done or failed; ``share`` (0 to 1) of the file is read."""

    model_config = ConfigDict(title="档案任务")

    id: str
    name: str
    at: str
    state: str
    letters: int
    share: float
    summary: dict[str, Any] | None = None
    problem: Failure | None = None


class ArchivesOut(BaseModel):
    """All archives that are kept, the earliest first: the order in which they are done."""

    archives: list[ArchiveOut]


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Go on with what an earlier server left."""
    app.state.archives = orders.Runner(app.state.settings.home)
    app.state.archives.start()
    try:
        yield
    finally:
        await run_in_threadpool(app.state.archives.stop)


def _may(request: Request) -> None:
    """Raise RefusedError when whoever calls may not."""
    access.caller_of(request).check(keys.ARCHIVE)


router = APIRouter(prefix="/v1/archives", tags=["档案"], dependencies=[Depends(_may)], lifespan=_running)

_ASKED = ("invalid-request",)
_PLACE = {"Location": {"schema": {"type": "string"}, "example": f"/v1/archives/{'0' * 32}", "description": "进度的地址"}}
_MARK = {"ETag": {"schema": {"type": "string"}, "description": "文件的标记"}}
_FILE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_BODY = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
    "description": "文件本身:表格、单封来信或压缩包",
}
_SENT = described.of_right(
    keys.ARCHIVE, {202: described.ok(ArchiveOut, "已收下,排队办理", _PLACE)}, "empty-body", "body-too-large", "unsupported-media-type", *_ASKED, body=_BODY
)
_LISTED = described.of_right(keys.ARCHIVE, {200: described.ok(ArchivesOut, "全部档案任务,先交的在前")}, *_ASKED)
_ONE = described.of_right(keys.ARCHIVE, {200: described.ok(ArchiveOut, "办到哪里;办完时附统计,失败时附原因")}, "no-such-archive", *_ASKED)
_DECIDED = described.of_right(
    keys.ARCHIVE, {200: {"description": "结果文件", "content": _FILE, "headers": described.RATE | _MARK}}, "no-such-archive", "archive-not-done", *_ASKED
)
_REFUSED = described.of_right(
    keys.ARCHIVE,
    {200: {"description": "拒收的行", "content": _FILE, "headers": described.RATE | _MARK}},
    "no-such-archive",
    "nothing-refused",
    "archive-not-done",
    *_ASKED,
)
_REMOVED = described.of_right(keys.ARCHIVE, {204: {"description": "已删除", "headers": described.RATE}}, "no-such-archive", *_ASKED)


@router.post("", status_code=202, summary="交来一批来信", **described.call(_SENT))
async def hand_in(request: Request, response: Response, wanted: Annotated[AskedIn, Query()]) -> ArchiveOut:
    """The body is the file, whatever its format; the answer says under which id it is found. Nothing is decided before it is here whole."""
    _check_kind(request)
    asked = orders.asked_now(**wanted.model_dump(mode="json"))
    home = request.app.state.settings.home
    folder = await run_in_threadpool(orders.upload, home)
    try:
        await _receive(request, orders.letters_in(folder, asked.name))
        found = await run_in_threadpool(orders.hand_in, folder, asked)
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)
    await run_in_threadpool(request.app.state.archives.start)
    response.headers["Location"] = f"/v1/archives/{found}"
    return _told(orders.find(home, found))


@router.get("", summary="所有档案任务", **described.call(_LISTED))
def listed(request: Request) -> ArchivesOut:
    """Every archive that is kept, the earliest first. They are done one after the other."""
    home = request.app.state.settings.home
    return ArchivesOut(archives=[_told(orders.find(home, name)) for name in orders.names(home)])


@router.get("/{archive}", summary="档案任务的进度", **described.call(_ONE))
def progress(request: Request, archive: str) -> ArchiveOut:
    """How far it is; when it is done, the summary; when it failed, why."""
    return _told(orders.find(request.app.state.settings.home, archive))


@router.get("/{archive}/output", summary="下载分办结果", response_class=FileResponse, **described.call(_DECIDED))
def output(request: Request, archive: str) -> FileResponse:
    """The decisions, as one file."""
    path, name = _done(request, archive)
    return FileResponse(path, filename=name, media_type="application/octet-stream")


@router.get("/{archive}/refused", summary="下载拒收的行", response_class=FileResponse, **described.call(_REFUSED))
def refused(request: Request, archive: str) -> FileResponse:
    """The rows that could not be used, with number and reason, and without a word of the letter."""
    path, name = _done(request, archive)
    place = refused_place(path)
    if not place.exists():
        raise InputError("archive: no row of it was refused. The decisions are under /output. Fetch those.", kind="nothing-refused", status=404)
    return FileResponse(place, filename=refused_place(path.with_name(name)).name, media_type="application/octet-stream")


@router.delete("/{archive}", status_code=204, response_class=Response, summary="删除档案任务", **described.call(_REMOVED))
def remove(request: Request, archive: str) -> None:
    """The letters, the decisions and what was being done with them."""
    orders.delete(request.app.state.settings.home, archive)
    request.app.state.archives.start()


def _told(folder: Path) -> ArchiveOut:
    return ArchiveOut.model_validate(orders.state(folder))


def _done(request: Request, archive: str) -> tuple[Path, str]:
    folder = orders.find(request.app.state.settings.home, archive)
    found = orders.state(folder)
    if found["state"] != "done":
        what = f"archive: {found['state']}, so there is no output. An archive that is done has one."
        raise UsageError(f"{what} Ask GET /v1/archives/{archive} how far it is.", kind="archive-not-done")
    return orders.output_of(folder)


def _check_kind(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/") or kind == "application/x-www-form-urlencoded" or request.headers.get("content-encoding", "identity") != "identity":
        raise InputError(
            "Content-Type: a form, or packed on the way. The body is the file itself, with its name in ?name=. Send application/octet-stream.",
            kind="unsupported-media-type",
            status=415,
        )


async def _receive(request: Request, place: Path) -> None:
    """Write the body to a file. Raises InputError for an empty one and for one above the limit, StorageError."""
    limit, block = BODIES * request.app.state.settings.max_body, bytearray()
    declared, size = request.headers.get("content-length", ""), 0
    _check_size(int(declared) if declared.isdecimal() else 0, limit)
    with storing(place.parent), place.open("wb") as file:
        async for part in request.stream():
            block += part
            size += len(part)
            _check_size(size, limit)
            if len(block) >= BLOCK:
                await run_in_threadpool(file.write, bytes(block))
                block.clear()
        file.write(block)
    if not size:
        raise InputError("body: empty. A file of letters is needed. Send the file as the body.", kind="empty-body", status=400)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        what = f"body: more than {limit} bytes. {BODIES} times TRIAGE_MAX_BODY is the limit."
        raise InputError(f"{what} Send the file in parts, or raise it.", kind="body-too-large", status=413)
