"""The parent of ``triage serve``: it holds the port, keeps as many workers as were asked for, and stops them when it is told to.

uvicorn's own supervisor was not taken: its workers outlive a parent that is killed and go on holding the port, a second signal does not
hurry it, and it starts every worker from nothing. Here workers are forked from a parent that has opened the desk, so they share its
memory and a new one answers in a moment.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import select
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from api import logs

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from multiprocessing.context import ForkProcess

    from api.figures import Figures

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
GRACE = 33.0  # seconds that workers have to answer what they accepted; they stop by themselves after 30
SILENT = 60.0  # seconds without a sign of life after which a worker is taken for stuck
LOOKS = 10  # between which those seconds must have gone by at least: who was paused with its workers finds all of them silent
TICK, FIRST_TICK = 1.0, 0.05
BACKOFF = (0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds before the next start, by how many died before they were of use


@dataclass(slots=True)
class Worker:
    """A place in the crew and the process that fills it now; ``begin_at`` is when the next one may start, by the monotonic clock."""

    number: int
    process: ForkProcess | None = None
    begin_at: float = 0.0
    failures: int = 0
    beats: float = 0.0
    silence: float = 0.0
    looked_at: float = 0.0

    def is_stuck(self, beats: float, now: float, limit: float) -> bool:
        """Whether it has shown no life for more than ``limit`` seconds, of which at most a tenth count between two looks.

        Whoever stopped this worker (a paused container, a machine asleep) stopped us as well, and it must have its time to beat again.
        """
        gap, self.looked_at = min(now - self.looked_at, limit / LOOKS), now
        self.silence = 0.0 if beats != self.beats else self.silence + gap
        self.beats = beats
        return self.silence > limit


class Crew:
    """The workers of one service. ``work(number, lifeline)`` is what each does; the lifeline ends with the parent."""

    def __init__(self, size: int, figures: Figures, work: Callable[[int, int], None], *, silent: float = SILENT) -> None:
        self._figures, self._work, self._silent = figures, work, silent
        self._workers = [Worker(number) for number in range(size)]
        self._lifeline, self._alive = os.pipe()  # nobody writes to it: it ends when the last who could is gone
        self._signals, noted = os.pipe()
        os.set_blocking(noted, False)
        signal.set_wakeup_fd(noted)
        for number in STOP:
            signal.signal(number, _noted)

    def keep(self, listening: socket.socket, ready: Callable[[], None]) -> int:
        """Run until told to stop; ``ready`` is called when the first worker answers. Returns the exit status: 0, or that of workers that cannot start."""
        gc.freeze()  # pages that the collector does not touch stay shared
        was_ready = False
        while not self._told():
            failed = self._fill(has_worked=was_ready)
            if failed:
                self._stop(signal.SIGKILL)
                return failed
            self._watch(TICK if was_ready else FIRST_TICK)
            if not was_ready and self._figures.total("beats"):
                was_ready = True
                ready()
        listening.close()
        logs.write("info", "stopping")
        return self._drain()

    def _fill(self, *, has_worked: bool) -> int:
        """Start whom we lack. Returns the exit status of a worker that could not begin when none ever did: the next would fare no better."""
        for worker in self._workers:
            if worker.process and not worker.process.is_alive():
                if not has_worked and (worker.process.exitcode or 0) > 0:
                    return worker.process.exitcode or 1
                _lost(worker)
            if worker.process is None and time.monotonic() >= worker.begin_at:
                self._begin(worker)
        return 0

    def _begin(self, worker: Worker) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP)  # a signal for the child must not be noted as one for the parent
        worker.process = multiprocessing.get_context("fork").Process(target=self._child, args=(worker.number, before), name=f"worker-{worker.number}")
        worker.process.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        worker.beats, worker.silence, worker.looked_at = 0.0, 0.0, time.monotonic()
        logs.write("info", "worker begun", worker=worker.number, pid=worker.process.pid)

    def _child(self, number: int, mask: set[signal.Signals]) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._alive)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all of us; the parent decides
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._figures.take(number)
        self._work(number, self._lifeline)

    def _watch(self, tick: float) -> None:
        """Wait for an end, a signal or the next tick, and end who has shown no life for too long."""
        wait([self._signals, *(worker.process.sentinel for worker in self._workers if worker.process)], tick)
        now = time.monotonic()
        for worker in self._workers:
            if worker.process and worker.is_stuck(self._figures.of(worker.number, "beats"), now, self._silent):
                logs.write("error", "worker stuck", worker=worker.number)
                worker.process.kill()

    def _told(self) -> bool:
        return bool(select.select([self._signals], [], [], 0)[0]) and bool(os.read(self._signals, 64))

    def _drain(self) -> int:
        """Let everybody finish; a second signal, or the end of their patience, ends them at once."""
        self._stop(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while living := [worker.process.sentinel for worker in self._workers if worker.process and worker.process.is_alive()]:
            wait([self._signals, *living], max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline or self._told():
                self._stop(signal.SIGKILL)
                return 1
        return 0

    def _stop(self, how: signal.Signals) -> None:
        for worker in self._workers:
            if worker.process and worker.process.pid and worker.process.is_alive():
                os.kill(worker.process.pid, how)


def _lost(worker: Worker) -> None:
    """Make room for the next one; whoever dies before it was ready makes the next wait longer."""
    process = worker.process
    worker.failures = 0 if worker.beats else worker.failures + 1
    worker.begin_at = time.monotonic() + BACKOFF[min(worker.failures, len(BACKOFF) - 1)]
    worker.process = None
    logs.write("error", "worker lost", worker=worker.number, exit=process.exitcode if process else None)


def _noted(*_: object) -> None:
    """The wake-up pipe holds what came."""
