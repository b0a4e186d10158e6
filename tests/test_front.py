"""Before the app: ids, bounds, limits, and a log that repeats nothing."""

import asyncio
import contextlib
import json
import logging
import os
import re
import threading

import pytest
import uvicorn
from doors import HERE
from offices import keep, small_model
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from uvicorn.server import ServerState

from api import front, logs
from api.app import create_app
from api.figures import CLOSED, Figures
from api.front import Front
from api.live import Live
from api.metrics import exposition
from api.settings import Settings
from api.wire import Wire
from api.work import PIECE, Work
from models import store
from models.disk import locked
from triage import taxonomy as taxonomies
from triage.desk import Desk, model_folder, open_desk
from triage.letter import Letter

SECRET = "云岭机密甲乙丙"
LETTER = "包工头欠我们八个人四个月工资不给"


@pytest.fixture(scope="module")
def small_desk(small_home, segmenter):
    return open_desk(small_home, taxonomies.load(small_home), segmenter)


@pytest.fixture(scope="module")
def client(small_desk):
    with TestClient(create_app(small_desk, Settings()), client=HERE, base_url="http://127.0.0.1:8016", raise_server_exceptions=False) as opened:
        yield opened


@pytest.mark.parametrize("given", ["intake-7f3a", "2026/11/22:17", "0af7651916cd43dd8448eb211c80319c"])
def test_a_callers_request_id_is_kept(client, given):
    answer = client.get("/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 10_000, "line\\nbreak", 'a"b', "13812345678", "110101199003071234", SECRET.encode()])
def test_an_unfit_request_id_is_replaced(client, given):
    answer = client.get("/nowhere", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


@pytest.mark.parametrize("headers", [{f"X-{number}": "1" for number in range(front.HEADERS + 1)}, {"X-Long": "x" * (front.HEADER_BYTES + 1)}])
def test_too_many_or_too_long_headers_are_refused(client, headers):
    answer = client.get("/v1/categories", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (431, "urn:letter-triage:problem:headers-too-large")


def test_figures_tell_routes_and_statuses_but_no_address(client):
    client.post("/v1/classify", json={"text": LETTER})
    client.get(f"/nowhere/{SECRET}")
    text = client.get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    counted = {(sample.labels["route"], sample.labels["status"]): sample.value for sample in families["triage_requests"].samples}
    assert counted["/v1/classify", "200"] >= 1
    assert counted["other", "404"] >= 1
    assert families["triage_letters"].samples[0].value >= 1
    assert SECRET not in text
    assert "%E4" not in text


def test_a_request_in_the_figures_is_in_one_bucket_of_time():
    figures = Figures(2)
    for worker in range(2):
        figures.take(worker)
        figures.answered(0, 200, 0.03)
        figures.answered(0, 503, 99.0)
    buckets = [
        sample for family in text_string_to_metric_families(exposition(figures, ["/x"]).decode()) for sample in family.samples if "bucket" in sample.name
    ]
    assert [sample.value for sample in buckets] == [0.0] * 5 + [2.0] * 8 + [4.0]


def test_who_takes_the_place_of_a_worker_counts_on_and_has_nothing_in_work():
    figures = Figures(2)
    figures.take(1)
    figures.add("letters", 5)
    figures.set("in_work", 3)
    figures.take(1)
    assert (figures.total("letters"), figures.total("in_work")) == (5, 0)


async def visit(app, path="/v1/classify", headers=()):
    """The messages that one request is answered with."""
    told = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        told.append(message)

    await app({"type": "http", "method": "POST", "path": path, "headers": list(headers)}, receive, send)
    return told[0]["status"], dict(told[0]["headers"]), b"".join(message.get("body", b"") for message in told)


def held(small_desk, body=1_000):
    """A front before an app that answers when it is let."""
    let, figures = asyncio.Event(), Figures()

    async def app(scope, receive, send):
        if scope["path"] not in front.OPEN:
            await let.wait()
        await PlainTextResponse("done")(scope, receive, send)

    return Front(app, Live(small_desk, figures), figures, body, ["/v1/classify"]), let, figures


def test_past_the_bound_of_work_a_request_is_refused_at_once_and_probes_are_not(small_desk):
    async def run():
        app, let, figures = held(small_desk)
        waiting = [asyncio.create_task(visit(app)) for _ in range(front.REQUESTS)]
        await asyncio.sleep(0)
        status, headers, content = await visit(app)
        assert (status, headers[b"retry-after"], json.loads(content)["type"]) == (503, b"1", "urn:letter-triage:problem:busy")
        assert [(await visit(app, path))[0] for path in sorted(front.OPEN)] == [200] * 3
        assert (figures.total("in_work"), figures.total("refused")) == (front.REQUESTS, 1)
        let.set()
        assert {answer[0] for answer in await asyncio.gather(*waiting)} == {200}
        assert (await visit(app))[0] == 200
        assert figures.total("in_work") == 0

    asyncio.run(run())


def test_a_worker_that_has_become_slow_lets_in_fewer_and_always_a_few(small_desk):
    async def run():
        app, let, _ = held(small_desk)
        slow = asyncio.create_task(visit(app))
        await asyncio.sleep(2 * front.SOON_ENOUGH / front.PACE / front.FEW)
        let.set()
        await slow
        let.clear()
        waiting = [asyncio.create_task(visit(app)) for _ in range(front.FEW)]
        await asyncio.sleep(0)
        assert (await visit(app))[0] == 503
        let.set()
        assert {answer[0] for answer in await asyncio.gather(*waiting)} == {200}

    asyncio.run(run())


def test_requests_that_come_and_go_together_are_not_taken_for_slow_ones(small_desk):
    app, _, _ = held(small_desk)
    for _ in range(20):
        visits = [app.arrive({"headers": [], "path": "/v1/classify"})[0] for _ in range(40)]
        for visit in visits:
            app.enter(visit)
            visit.began -= 0.02  # half a millisecond each
        for visit in visits:
            app.leave(visit)
    assert 0.0005 <= app._pace < 0.001


@pytest.mark.parametrize("header", [(b"content-length", b"1000"), (b"transfer-encoding", b"chunked")])
def test_the_bodies_in_work_have_a_bound_together(small_desk, header):
    async def run():
        app, let, _ = held(small_desk)
        waiting = [asyncio.create_task(visit(app, headers=[header])) for _ in range(front.BODIES)]
        await asyncio.sleep(0)
        assert (await visit(app, headers=[header]))[0] == 503
        let.set()
        await asyncio.gather(*waiting)

    asyncio.run(run())


def test_who_stops_refuses_what_comes_now_and_says_that_it_is_not_ready(small_desk):
    app = create_app(small_desk, Settings())
    with TestClient(app) as client:
        app.state.front.draining = True
        answer = client.post("/v1/classify", json={"text": LETTER})
        assert (answer.status_code, answer.headers["retry-after"], answer.json()["type"]) == (503, "1", "urn:letter-triage:problem:draining")
        assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)


def decided(desk, *calls, figures=None):
    """What becomes of calls that wait together: their decisions' letters, or their error."""

    async def run():
        work = Work(figures or Figures())
        waiting = [work.decide(desk, letters, lambda decisions: [decision.letter for decision in decisions]) for letters in calls]
        found = await asyncio.gather(*waiting, return_exceptions=True)
        work.end()
        return found

    return asyncio.run(run())


def test_a_long_call_and_short_ones_come_back_whole_and_in_order(small_desk):
    long = [Letter(LETTER, id=str(number)) for number in range(150)]
    figures = Figures()
    assert decided(small_desk, long, [Letter("停水", id="a")], [], [Letter("", id="b")], figures=figures) == [[*map(str, range(150))], ["a"], [], ["b"]]
    assert figures.total("letters") == 152
    assert figures.total("letters_for_review") >= 1


def test_a_call_that_cannot_be_decided_does_not_harm_those_beside_it(small_desk):
    class Particular:
        def decide(self, letters):
            if any(letter.id == "bad" for letter in letters):
                raise KeyError
            return small_desk.decide(letters)

    for length in (1, PIECE + 1):  # decided in the loop, and by the thread
        calls = [[Letter(LETTER, id=name)] * length for name in ("a", "bad", "b")]
        before, broken, after = decided(Particular(), *calls)
        assert (before, after) == (["a"] * length, ["b"] * length)
        assert isinstance(broken, KeyError)


def test_a_few_short_letters_are_decided_where_they_came_and_many_or_long_ones_apart(small_desk):
    where = []

    class Particular:
        def decide(self, letters):
            where.append((threading.current_thread().name, len(letters)))
            return small_desk.decide(letters)

    few, empty, long = [Letter(LETTER)] * 3, [Letter("")] * 170, [Letter(LETTER * 1100)]
    decided(Particular(), few, few, long, empty)
    here, *apart = sorted(where, key=lambda one: one[0] == "desk_0")
    assert here == (threading.current_thread().name, 6)
    assert apart == [("desk_0", 1), ("desk_0", 64), ("desk_0", 64), ("desk_0", 42)]


def test_letters_that_nobody_waits_for_any_more_are_not_decided(small_desk):
    async def run():
        figures = Figures()
        work = Work(figures)
        first, given_up = (work.decide(small_desk, [Letter(LETTER)] * 100, len) for _ in range(2))
        given_up.cancel()
        assert await first == 100
        assert await work.decide(small_desk, [], len) == 0
        return figures.total("letters")

    assert asyncio.run(run()) == 100


def test_a_client_that_goes_away_gives_its_letters_up():
    async def run():
        given_up = asyncio.Event()

        async def waits(scope, receive, send):
            scope["state"]["waiting"] = waiting = asyncio.get_running_loop().create_future()
            writer.close()
            try:
                await waiting
            except asyncio.CancelledError:
                given_up.set()

        config, state = uvicorn.Config(waits, log_config=None, ws="none", lifespan="off"), ServerState()
        server = await asyncio.get_running_loop().create_server(lambda: Wire(config, state, {}, figures=Figures()), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(given_up.wait(), 60)
        server.close()

    asyncio.run(run())


def test_a_request_keeps_its_desk_though_another_model_goes_live(small_desk, segmenter):
    bare = Desk(small_desk.taxonomy, segmenter, None)

    async def run():
        work = Work(Figures())
        calls = [
            work.decide(desk, [Letter(LETTER)] * 3, lambda decisions: {decision.model for decision in decisions}) for desk in (small_desk, bare, small_desk)
        ]
        return await asyncio.gather(*calls)

    assert asyncio.run(run()) == [{small_desk.version}, {None}, {small_desk.version}]


def test_a_model_that_goes_live_is_taken_over_and_a_bad_one_refused(office, starter, segmenter):
    folder, known = model_folder(office), taxonomies.load(office)
    model, letters = small_model(starter, segmenter), [Letter(LETTER, id="golden")]
    first, second = (keep(office, version, model, segmenter, letters) for version in ("front-1", "front-2"))
    figures = Figures()
    live = Live(open_desk(office, known, segmenter), figures)

    def put(version):
        with locked(folder):
            store.make_current(folder, version)
        live.look(office)
        return live.desk.version

    assert put(first) == first
    (folder / second / "weights.npy").write_bytes(b"damaged")
    assert put(second) == first
    assert "weights.npy" in live.refused
    assert put(first) == first
    assert live.refused == ""
    assert (figures.total("swaps"), figures.total("models_refused"), figures.model_of(0)) == (1, 1, first)
    store.current(folder)
    (folder / "history.jsonl").rename(folder / "away")
    live.look(office)
    assert "no model is live" in live.refused
    (folder / "away").rename(folder / "history.jsonl")
    (folder / "history.jsonl").write_text("{")
    live.look(office)
    assert "damaged" in live.refused


def on_the_wire(sent, *, app, arrival=60.0):
    """What comes back for some bytes, to the end of the connection, and the figures."""

    async def run():
        config, state, figures = uvicorn.Config(app, log_config=None, ws="none", lifespan="off"), ServerState(), Figures()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Wire(config, state, {}, figures=figures, arrival=arrival), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(sent)
        came = b""
        with contextlib.suppress(ConnectionResetError):
            while part := await asyncio.wait_for(reader.read(65_536), 60):
                came += part
        writer.transport.abort()
        server.close()
        return came, figures

    return asyncio.run(run())


async def reads_all(scope, receive, send):
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
    await PlainTextResponse("done")(scope, receive, send)


@pytest.mark.parametrize(
    "sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"]
)
def test_a_request_that_does_not_arrive_in_time_is_ended(sent):
    came, _ = on_the_wire(sent, arrival=0.05, app=reads_all)
    assert came.startswith(b"HTTP/1.1 408 ")
    assert b"problem:late" in came


async def answers_at_once(scope, receive, send):
    await PlainTextResponse("done")(scope, receive, send)


async def never_answers(scope, receive, send):
    await receive()
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.parametrize(
    ("sent", "app", "answers"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", answers_at_once, 1),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", never_answers, 0),
    ],
)
def test_a_late_request_is_never_answered_in_another_ones_place(sent, app, answers):
    came, _ = on_the_wire(sent, arrival=0.05, app=app)
    assert (came.count(b"HTTP/1.1 "), came.count(b" 408 ")) == (answers, 0)


def test_a_client_that_is_too_late_counts_as_gone():
    _, figures = on_the_wire(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", arrival=0.05, app=reads_all)
    assert figures.total("disconnects") == 1


def test_a_head_without_end_is_refused():
    came, _ = on_the_wire(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 70_000, app=reads_all)
    assert came.startswith(b"HTTP/1.1 431 ")


def test_a_large_body_is_no_large_head():
    body = b"x" * 200_000
    came, _ = on_the_wire(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n" + body, app=reads_all)
    assert came.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: -1",
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"X-Fold: a\r\n b",
        b"Content Length: 4",
    ],
)
def test_a_request_that_could_be_read_two_ways_is_refused(headers):
    came, _ = on_the_wire(b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\nabcdGET /second HTTP/1.1\r\nHost: x\r\n\r\n", arrival=1.0, app=reads_all)
    assert came.startswith(b"HTTP/1.1 400 ")
    assert came.count(b"HTTP/1.1 ") == 1


def record(level, message, *values, error=None):
    return logging.LogRecord("library", level, "file.py", 1, message, values, (type(error), error, error.__traceback__) if error else None)


def test_what_a_library_logs_loses_its_values_and_its_exceptions_words(capfd):
    try:
        int(SECRET)
    except ValueError as error:
        logs._Others().emit(record(logging.ERROR, "could not read %s", SECRET, error=error))
    line = next(line for line in map(json.loads, capfd.readouterr().err.splitlines()) if line["event"] != "request")
    assert (line["says"], line["error"], line["level"]) == ("could not read %s", "ValueError", "error")
    assert line["through"][0].startswith("test_front.py:")
    assert SECRET not in str(line)


def test_lines_that_nobody_takes_are_counted_and_hold_nothing_up():
    reading, writing = os.pipe()
    os.close(reading)
    lost = []
    log = logs.Log(writing)
    log.begin(lambda: lost.append(1), worker=3)
    log.write("info", "nobody hears this", {})
    os.close(writing)
    assert lost == [1]


def test_lines_wait_for_a_slow_reader_up_to_a_bound():
    reading, writing = os.pipe()
    lost = []
    log = logs.Log(writing)
    log.begin(lambda: lost.append(1))
    for number in range(logs.WAITING + 2_000):
        log.write("info", "event", {"number": number})
    assert 0 < len(lost) < 2_000
    first = b""
    while first.count(b"\n") < logs.WAITING:
        first += os.read(reading, 65_536)
        log.flush()
    assert [json.loads(line)["number"] for line in first.splitlines()[:1_000]] == list(range(1_000))
    os.close(writing)
    os.close(reading)


def test_a_gone_client_has_a_status_of_its_own():
    figures = Figures()
    figures.answered(0, CLOSED, 0.1)
    assert figures.requests(0)[0] == {CLOSED: 1}
