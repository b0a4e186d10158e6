"""`triage serve` as processes: workers that share a port, come back when they are killed, and go when they are told or left alone."""

import json
import os
import signal
import socket

import pytest
from served import PATIENCE, alive, serving, until

LETTER = "包工头欠我们八个人四个月工资不给"


@pytest.fixture(scope="module")
def served(small_home, tmp_path_factory):
    with serving(small_home, tmp_path_factory.mktemp("log") / "log", "--log", "debug") as running:
        yield running


def test_a_letter_is_decided_over_http(served):
    status, headers, content = served.classify(LETTER)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(content)["category"]["code"] == "wages"


def test_a_killed_worker_is_replaced_and_the_other_answers_meanwhile(served):
    number, pid = next(iter(served.workers().items()))
    os.kill(pid, signal.SIGKILL)
    assert served.classify(LETTER)[0] == 200
    assert served.told("worker lost", worker=number)["exit"] == -signal.SIGKILL
    until(lambda: served.workers()[number] != pid)
    assert all(map(alive, served.workers().values()))


def test_who_was_accepted_is_answered_before_the_end(small_home, tmp_path):
    """A letter of which half has come when the service is told to stop."""
    with serving(small_home, tmp_path / "log", workers=1) as running, running.connection() as client:
        body = json.dumps({"text": LETTER}).encode()
        head = f"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        client.sendall(head + body[:10])
        until(lambda: running.figure("triage_requests_in_work") == 1)
        running.process.send_signal(signal.SIGTERM)
        running.told("stopping")
        client.sendall(body[10:])
        with client.makefile("rb") as answer:
            assert b" 200 " in answer.readline()
        assert running.process.wait(PATIENCE) == 0
        assert not any(map(alive, running.workers().values()))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(running.place, timeout=PATIENCE)


def test_workers_end_when_their_parent_is_killed_and_the_port_is_free(small_home, tmp_path):
    with serving(small_home, tmp_path / "log") as running:
        workers = running.workers()
        running.process.kill()
        until(lambda: not any(map(alive, workers.values())), "the end of the workers")
        socket.create_server(running.place).close()
