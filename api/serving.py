"""``triage serve``: the HTTP service as one command."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from api.settings import Settings

app = typer.Typer()

BACKLOG = 2048  # connections that the system holds until a worker takes them
FILES = 4096  # open files that a worker asks for
FEWEST = 128  # open files below which it cannot serve
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="监听地址 / address; TRIAGE_HOST")] = "",
    port: Annotated[int | None, typer.Option(help="端口 / port; TRIAGE_PORT", min=0, max=65535)] = None,
    workers: Annotated[int, typer.Option(help="工作进程数 / processes that answer; TRIAGE_WORKERS", min=0, max=64)] = 0,
    log: Annotated[Literal["debug", "info", "warning", "error"], typer.Option(help="日志级别 / what is logged, on standard error")] = "info",
) -> None:
    """启动 HTTP 服务,说明页在 /docs / start the HTTP service; its page is /docs."""
    from api import logs
    from api.settings import settings

    os.environ.update(dict.fromkeys(THREADS, "1"))  # before numpy: workers are the parallelism
    known = settings()
    logs.listen(log)
    host = host or known.host
    with _listen(host, known.port if port is None else port) as listening:
        _open_files()
        raise typer.Exit(_serve(listening, workers or known.workers, known, host))


def _serve(listening: socket.socket, workers: int, known: Settings, host: str) -> int:
    """Open the register and the desk once, then let workers that share the desk answer. Returns the exit status."""
    from api import access, logs, porter
    from api.cli import _desk
    from api.crew import STOP, Crew
    from api.figures import Figures
    from api.worker import run

    for number in STOP:
        signal.signal(number, _leave)
    with porter.answering(listening):
        logs.write("info", "starting", address=_address(listening))
        _mind_compiled_code()
        notice = access.check_address(host, known)  # an older register is brought up to date here, which may take a while
        desk = _desk()
    figures = Figures(workers)
    crew = Crew(workers, figures, lambda _, lifeline: run(desk, known, figures, listening, lifeline))

    def told() -> None:
        logs.write("info", "ready", address=f"{_address(listening)}/docs", workers=workers, model=desk.version)
        if notice:
            logs.write("warning", "keys", notice=notice)

    return crew.keep(listening, told)


def _address(listening: socket.socket) -> str:
    address, port = listening.getsockname()[:2]
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


def _mind_compiled_code() -> None:
    """Say in the log when every start will take long."""
    from api import logs
    from models.compiled import UNKEPT, kept_in
    from models.lookup import index

    if kept_in(index) is None:
        logs.write("warning", "compiled code", notice=UNKEPT)


def _leave(*_: object) -> None:
    """Told to stop before it began: nothing was accepted, so nothing is to be finished; an upgrade of the register is given up as a whole."""
    sys.exit(0)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before the model is loaded: who cannot have it should hear so at once."""
    from api.settings import SettingsError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"TRIAGE_HOST, TRIAGE_PORT: cannot listen on {host}:{port} ({error.strerror}). A free port of this machine is needed. Choose another, or stop what holds it."
        ) from error


def _open_files() -> None:
    """Ask the system for enough open files. Raises SettingsError when it gives too few: a worker without any would be silent."""
    import resource

    from api.settings import SettingsError

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft != resource.RLIM_INFINITY and soft < FEWEST:
        raise SettingsError(f"system: {soft} open files for a process. A worker needs {FEWEST} or more. Raise the limit (`ulimit -n`, LimitNOFILE).")
