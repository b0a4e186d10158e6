"""`triage serve` as processes: workers that share a port, come back when they are killed, and go when they are told or left alone."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from offices import TRIAGE, keep, small_model
from served import PATIENCE, alive, serving, until

from models import store
from models.disk import locked
from triage.desk import model_folder
from triage.letter import Letter
from triage.register import book, keys

LETTER = "包工头欠我们八个人四个月工资不给"
WORDS = ["云岭机密", "欧阳清风", "13812345678", "110101199003071234", "sk-live-5e884898da", "%E4%BA%91", "u4e91"]


@pytest.fixture(scope="module")
def own(small_home, starter, segmenter, tmp_path_factory):
    """An office with two more models, to be changed by this file's tests."""
    home = shutil.copytree(small_home, tmp_path_factory.mktemp("own") / "市信访局 一")
    model = small_model(starter, segmenter)
    for version in ("one", "two"):
        keep(home, version, model, segmenter, [Letter(LETTER, id="golden")])
    return home


@pytest.fixture(scope="module")
def served(own, tmp_path_factory):
    """Where little is as one would wish: a Chinese path with a blank, a C locale, no folder for temporary files, no home of one's own."""
    poor = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "TERM": "dumb", "TMPDIR": "/nowhere"}
    with serving(own, tmp_path_factory.mktemp("log") / "log", "--log", "debug", traced=True, without={"HOME"}, **poor) as running:
        yield running


def put(home, version):
    with locked(model_folder(home)):
        store.make_current(model_folder(home), version)


def test_a_letter_is_decided_over_http(served):
    status, headers, content = served.classify(LETTER)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(content)["category"]["code"] == "wages"


def test_the_containers_health_check_asks_the_service(served):
    code = re.search(r'"-c", "(.*)"\]', Path(__file__).parent.parent.joinpath("Dockerfile").read_text("utf-8"))[1]
    exec(code.replace("http://127.0.0.1:8016", served.address))


def test_every_worker_takes_over_the_model_that_goes_live_and_refuses_a_damaged_one(served, own):
    put(own, "one")
    until(lambda: served.figure("triage_model_info", version="one") == 2, "both workers with the new model")
    assert json.loads(served.classify(LETTER)[2])["model"] == "one"
    (model_folder(own) / "two" / "keys.npy").write_bytes(b"damaged")
    put(own, "two")
    for worker in (0, 1):
        assert "keys.npy" in served.told("model refused", worker=worker)["why"]
    status, _, content = until(lambda: (found := served.call("/readyz"))[0] == 200 and found, "a worker that has looked at its register")
    assert (status, json.loads(content)["detail"]) == (200, "one")
    assert "keys.npy" in json.loads(content)["refused"]
    assert json.loads(served.classify(LETTER)[2])["model"] == "one"


def test_a_killed_worker_is_replaced_the_other_answers_meanwhile_and_no_figure_is_lost_or_stale(served):
    before = served.figure("triage_letters_total")
    number, pid = next(iter(served.workers().items()))
    with served.connection() as half:
        half.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        os.kill(pid, signal.SIGKILL)
        assert served.classify(LETTER)[0] == 200
        assert served.told("worker lost", worker=number)["exit"] == -signal.SIGKILL
        until(lambda: served.workers()[number] != pid)
        assert all(map(alive, served.workers().values()))
        assert served.figure("triage_letters_total") > before
    until(lambda: served.figure("triage_requests_in_work") == 0)
    until(lambda: served.figure("triage_model_info") == 2)


def test_a_client_that_goes_away_is_counted_and_nothing_else_happens(served):
    before = served.figure("triage_disconnects_total")
    with served.connection() as client:
        client.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\nhalf")
        until(lambda: served.figure("triage_requests_in_work") == 1)
    until(lambda: served.figure("triage_disconnects_total") == before + 1)
    assert served.told("request", status=499)["route"] == "/v1/classify"


def test_nothing_that_was_sent_stands_in_the_log(served):
    """Through every way in that takes words, at debug level: letters good and bad, addresses, headers, ids."""
    text = "".join(WORDS)
    headers = {"Authorization": f"Bearer {WORDS[4]}", "X-Request-ID": WORDS[2], "Idempotency-Key": WORDS[4], "Referer": "/" + WORDS[3], "User-Agent": WORDS[4]}
    bodies = [
        {"text": text},
        {"title": text, "body": text, "id": WORDS[3], "sender": WORDS[1], "place": WORDS[0]},
        {"letters": [{"text": text}, {"txet": text}]},
        {"text": text, "channel": text},
        {WORDS[0]: text},
        [text],
        f'{{"text": "{text}'.encode(),
        f'{{"text": "\\ud800{text}"}}'.encode(),
        text.encode("gb18030"),
        text.encode("utf-16"),
    ]
    for body in bodies:
        served.call("/v1/classify", body, **headers)
    for path in (f"/{WORDS[2]}", f"/v1/classify?key={WORDS[4]}", f"/v1/letters/{WORDS[3]}?sender={WORDS[2]}", "/v1/%E4%BA%91", "/docs?" + WORDS[4]):
        served.call(path, **headers)
    with served.connection() as client:
        client.sendall(b"GET /" + text.encode() + b" NONSENSE\r\n\x00\r\n" + text.encode())
        client.recv(1_000)
    _, answered, _ = served.call("/healthz", **{"X-Request-ID": "the-last-one"})
    assert answered["x-request-id"] == "the-last-one"
    last = served.told("request", id="the-last-one")
    assert {"time", "method", "route", "status", "received", "sent", "ms", "model", "worker"} < last.keys()
    written = served.log.read_text("utf-8")
    assert [word for word in WORDS if word in written] == []
    assert json.dumps(WORDS[0])[2:-1] not in written
    assert len(served.lines("request")) >= len(bodies)


def test_who_was_accepted_is_answered_before_the_end(small_home, tmp_path):
    """A letter of which half has come when the service is told to stop."""
    with serving(small_home, tmp_path / "log", workers=1, traced=True) as running, running.connection() as client:
        body = json.dumps({"text": LETTER}).encode()
        head = f"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
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


def test_a_second_signal_ends_it_at_once(small_home, tmp_path):
    with serving(small_home, tmp_path / "log", workers=1) as running, running.connection() as client:
        client.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\nhalf")
        until(lambda: running.figure("triage_requests_in_work") == 1)
        running.process.send_signal(signal.SIGINT)
        running.told("stopping")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE) == 1
        assert not any(map(alive, running.workers().values()))


def test_workers_end_when_their_parent_is_killed_and_the_port_is_free(small_home, tmp_path):
    with serving(small_home, tmp_path / "log") as running:
        workers = running.workers()
        running.process.kill()
        until(lambda: not any(map(alive, workers.values())), "the end of the workers")
        socket.create_server(running.place).close()


def test_too_few_open_files_are_named_at_the_start(tmp_path):
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    done = subprocess.run([TRIAGE, "serve", "--port", "0"], preexec_fn=limit, capture_output=True, check=False, env=os.environ | {"TRIAGE_HOME": str(tmp_path)})
    assert done.returncode == 2
    assert "64 open files" in done.stderr.decode()


def test_a_key_has_its_calls_once_for_all_workers(small_home, tmp_path):
    home = shutil.copytree(small_home, tmp_path / "office")
    _, text = keys.create(book.open_register(home, "", ""), "热线", "intake", "li")
    with serving(home, tmp_path / "log", workers=2, TRIAGE_RATE_LIMIT="2") as service:
        answers = [service.classify(LETTER, Authorization=f"Bearer {text}") for _ in range(12)]
        told = [(status, headers["ratelimit"].partition(";t")[0]) for status, headers, _ in answers]
    assert told[:3] == [(200, '"calls";r=1'), (200, '"calls";r=0'), (429, '"calls";r=0')]
    assert [status for status, _ in told].count(200) <= 3  # one more after half a minute, on a slow machine
