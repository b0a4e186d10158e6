"""The HTTP service. Built by ``create_app``: importing this module reads no model and opens nothing."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles

from api import access, archives, described, letters, lists, metrics, problems, registered, schemas
from api.figures import Figures
from api.front import Front
from api.live import Live
from api.sight import Sight
from api.straight import Straight
from api.work import Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi.responses import HTMLResponse
    from starlette.datastructures import State

    from api.settings import Settings
    from triage.desk import Desk

STATIC = Path(__file__).parent / "static"
READY = {"ready", "degraded"}
NOT_READY = "没有可用的模型(来信仍可提交,一律转人工),登记簿不可用(仍可分办,不能登记),或服务正在停止"
NO_REGISTER = "register: no letter can be stored. Letters are still classified. Run `triage doctor`, or look into the log."
DEGRADED = "register: the audit trail was altered ({}). Letters are still registered. Run `triage register verify`."


def create_app(desk: Desk, settings: Settings, figures: Figures | None = None, *, clock: Callable[[], float] = time.monotonic) -> FastAPI:
    """The service of one desk. The page under /docs is served from files of this package: offices have no internet."""
    figures = figures or Figures()
    app = FastAPI(
        title="来信分办 letter-triage",
        version=version("letter-triage"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect's address would be made of the caller's Host
        lifespan=_life,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # figures and log are ours, and know what may not be told
        description="信访来信:说什么事、归谁办、有多大把握、凭什么。",
    )
    app.state.settings, app.state.live, app.state.work = settings, Live(desk, figures), Work(figures)
    problems.install(app)
    for router in (letters.router, registered.router, archives.router, lists.router):
        app.include_router(router)
    _add_probes(app)
    app.include_router(metrics.router)
    _add_page(app)
    described.install(app)
    access.install(app, settings, figures, clock)
    app.state.sight = Sight(app.state.door, clock)
    _put_front_before(app, figures)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    """What is to be given back when the service ends."""
    yield
    app.state.door.close()


def _put_front_before(app: FastAPI, figures: Figures) -> None:
    """Outermost, around the answer to an unforeseen error too; so no middleware can be added after this."""
    front = Front(app.build_middleware_stack(), app.state.live, figures, app.state.settings.max_body, sorted(app.openapi()["paths"]))
    app.state.front = app.middleware_stack = front
    app.state.straight = Straight(front, app.state.access, app.state.work, app.state.settings.max_body)


def _add_probes(app: FastAPI) -> None:
    @app.get("/healthz", summary="进程存活")
    async def healthz() -> schemas.Health:
        return schemas.Health(status="ok")

    @app.get("/readyz", summary="可以接信", responses={503: {"model": schemas.Health, "description": NOT_READY}})
    async def readyz(request: Request, response: Response) -> schemas.Health:
        health = await _health(request.app.state)
        response.status_code = 200 if health.status in READY else 503
        return health


async def _health(state: State) -> schemas.Health:
    """Whether letters should be sent here, and what is known to be wrong all the same."""
    model, trouble = state.live.desk.version, state.live.trouble()
    if state.front.draining or not model:
        return schemas.Health(status="draining" if state.front.draining else "no-model", detail=model or "run triage init", refused=trouble)
    seen = await state.sight.now()
    if seen.refused:
        return schemas.Health(status=seen.refused, detail=NO_REGISTER, refused=trouble)
    if seen.trail:
        return schemas.Health(status="degraded", detail=model, refused=" ".join(filter(None, (trouble, DEGRADED.format(seen.trail)))))
    return schemas.Health(status="ready", detail=model, refused=trouble)


def _add_page(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/static/swagger-ui-bundle.js",
            swagger_css_url="/static/swagger-ui.css",
            swagger_favicon_url="/static/favicon.svg",
            swagger_ui_parameters={"validatorUrl": None},
        )
