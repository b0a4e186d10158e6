"""The parent of the workers, with workers that do one thing; each test in a process of its own, since a parent takes the signals."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from served import PATIENCE, alive

from api import porter
from api.crew import Worker

CREW = """
import os, signal, socket, sys, time
from api.crew import Crew
from api.figures import Figures
figures = Figures(2)
def work(number, lifeline):
    {work}
crew = Crew({size}, figures, work, silent={silent})
sys.exit(crew.keep(socket.create_server(("127.0.0.1", 0)), lambda: print("ready", flush=True)))
"""


def begun(work, *, size=1, silent=60.0):
    code = CREW.format(work=work, size=size, silent=silent)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def events(process, *names):
    """The lines of the log up to the first about each of these events, in this order."""
    found = []
    for name in names:
        line = {"event": ""}
        while line["event"] != name:
            line = json.loads(process.stderr.readline())
        found.append(line)
    return found


def test_workers_that_cannot_start_end_the_service_with_their_status():
    with begun("sys.exit(6)", size=2) as process:
        assert process.wait(PATIENCE) == 6


def test_a_worker_that_shows_no_life_is_killed_and_replaced():
    with begun("time.sleep(600)", silent=0.2) as process:
        first, stuck, lost, second = events(process, "worker begun", "worker stuck", "worker lost", "worker begun")
        assert (stuck["worker"], lost["exit"]) == (0, -signal.SIGKILL)
        assert first["pid"] != second["pid"]
        process.terminate()
        process.wait(PATIENCE)
        assert not alive(second["pid"])


@pytest.mark.parametrize(
    ("looks", "stuck_after"),
    [
        ([(1, 1.0)] * 60, None),
        ([(0, 1.0)] * 62, 61),
        ([(1, 1.0), *[(0, 1.0)] * 59, (1, 1.0), *[(0, 1.0)] * 59], None),
        ([(1, 1.0), (0, 3_600.0), (1, 0.5), (0, 86_400.0), (0, 1.0), (1, 1.0)], None),  # paused with its parent, which went on first
        ([(0, 100.0)] * 12, 11),  # a parent that has hardly a moment to run in
    ],
    ids=["lively", "silent", "slow", "paused", "starved"],
)
def test_a_worker_is_stuck_when_it_was_silent_in_many_looks_and_not_when_the_clock_leapt(looks, stuck_after):
    worker, beats, now, found = Worker(0), 0, 0.0, []
    for more, seconds in looks:
        beats, now = beats + more, now + seconds
        found.append(worker.is_stuck(beats, now, 60.0))
    assert (found.index(True) + 1 if True in found else None) == stuck_after


def test_a_worker_that_was_ready_and_dies_is_replaced_without_delay():
    with begun("figures.add('beats'); signal.pause()") as process:
        assert process.stdout.readline() == "ready\n"
        pid = events(process, "worker begun")[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        assert events(process, "worker lost", "worker begun")[1]["pid"] != pid
        process.send_signal(signal.SIGHUP)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("request_", "status", "holds"), [(b"GET /healthz HTTP/1.1\r\n\r\n", 200, b'"ok"'), (b"POST /v1/classify HTTP/1.1\r\n\r\n{}", 503, b":starting")]
)
def test_while_the_desk_is_opened_every_call_is_told_so(request_, status, holds):
    with socket.create_server(("127.0.0.1", 0)) as listening, porter.answering(listening):
        with socket.create_connection(listening.getsockname(), timeout=PATIENCE) as client:
            client.sendall(request_)
            client.shutdown(socket.SHUT_WR)
            came = client.makefile("rb").read()
        assert came.startswith(f"HTTP/1.1 {status} ".encode())
        assert holds in came
        assert (b"Retry-After: 1\r\n" in came) == (status == 503)
        with socket.create_connection(listening.getsockname()):
            pass  # who says nothing and goes is no trouble
