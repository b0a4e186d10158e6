"""One worker of ``triage serve``: a process with an event loop that reads and writes, and a thread that decides."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from api import logs
from api.app import create_app
from api.wire import Wire
from triage.errors import TriageError
from triage.letter import Letter

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from fastapi import FastAPI

    from api.figures import Figures
    from api.settings import Settings
    from triage.desk import Desk

GRACE = 30  # seconds to answer what was accepted
ORPHANED = 4.0  # seconds for the same when the parent is gone: somebody may be starting another
KEEP_ALIVE = 75  # seconds; longer than proxies keep an idle connection (nginx: 60), so that they close first
HANDOVER = 0.0005  # seconds until the desk and the loop, of which each needs the interpreter, let the other have it; Python's own 5 ms are ten letters
WARM = "小区停水三天了没人管"


def run(desk: Desk, settings: Settings, figures: Figures, listening: socket.socket, lifeline: int) -> None:
    """Answer until told to stop, or until the lifeline ends because the parent is gone."""
    logs.LOG.begin(partial(figures.add, "lines_lost"), worker=figures.worker)
    try:
        app = create_app(desk, settings, figures)
        app.state.live.follow(settings.home)
    except TriageError as error:
        logs.write("error", "worker cannot start", why=str(error))
        sys.exit(error.exit_status)
    app.state.live.desk.decide([Letter(WARM)])  # what is compiled or read late is so before the first letter
    gc.collect()
    gc.freeze()  # what stays to the end is not looked through again and again
    sys.setswitchinterval(HANDOVER)
    server = Server(app, figures)
    threading.Thread(target=_outlive, args=(lifeline, server), name="lifeline", daemon=True).start()
    server.run(sockets=[listening])
    app.state.live.end()
    app.state.work.end()
    logs.write("info", "worker stopped")  # with what waited


class Server(uvicorn.Server):
    """uvicorn's server, which says every second that it lives, and which one SIGTERM stops as often as it comes: the parent decides on haste."""

    def __init__(self, app: FastAPI, figures: Figures) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(Wire, figures=figures, straight=app.state.straight),  # type: ignore[arg-type]  # what makes a protocol will do
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=GRACE,
                timeout_notify=1,
                callback_notify=self._beat,
            )
        )
        self._front, self._figures = app.state.front, figures

    async def _beat(self) -> None:
        self._figures.add("beats")

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: uvicorn's own work, and the lines of the log that wait."""
        logs.LOG.flush()
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but the signal is not raised again at the end: a worker that finished its work has not failed."""
        signal.signal(signal.SIGTERM, self.stop)
        yield

    def stop(self, *_: object) -> None:
        """Take no more, and end when what was accepted is answered."""
        self._front.draining = self.should_exit = True
        self._figures.set("draining", 1)


def _outlive(lifeline: int, server: Server) -> None:
    """The lifeline ends with the parent. Who stayed would hold the port, and nobody could stop or restart it."""
    os.read(lifeline, 1)
    logs.write("error", "parent gone")
    server.stop()
    threading.Event().wait(ORPHANED)
    os._exit(1)
