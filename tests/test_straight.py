"""The straight way of a plain call answers as the whole app does, on the wire."""

import asyncio
import contextlib
import json
from types import SimpleNamespace

import pytest
import uvicorn
from uvicorn.server import ServerState

from api import front, logs
from api.app import create_app
from api.figures import CLOSED, Figures
from api.settings import Settings
from api.straight import SMALL
from api.wire import Wire
from triage import taxonomy as taxonomies
from triage.desk import open_desk
from triage.register import book, keys

LETTER = {"id": "7", "title": "讨薪", "body": "包工头欠我们八个人四个月工资不给"}
JSON = {"Content-Type": "application/json"}
WHOLE = json.dumps(LETTER)
CALLS = {
    "a letter": (WHOLE, {}),
    "a letter of bare text": ('{"text": "村里的路烂了三年\\n没人修"}', {}),
    "several": (json.dumps({"letters": [LETTER, {"text": ""}]}), {}),
    "none of several": ('{"letters": []}', {}),
    "no letter": ("[]", {}),
    "an unknown field": ('{"txet": "x"}', {}),
    "a field twice": ('{"text": "甲", "text": "乙"}', {}),
    "a field twice, with quotes": ('{"text": "甲\\"", "text": "乙\\""}', {}),
    "no JSON": ("{", {}),
    "nothing": ("", {}),
    "half a character": ('{"text": "\\ud800"}', {}),
    "another type": ("x", {"Content-Type": "text/plain"}),
    "another character set": (WHOLE, {"Content-Type": "application/json; charset=gbk"}),
    "a packed body": (WHOLE, {"Content-Encoding": "gzip"}),
    "a foreign page": (WHOLE, {"Origin": "http://elsewhere.example"}),
    "no host": (WHOLE, {"Host": "a b"}),
    "a proxy": (WHOLE, {"X-Forwarded-For": "203.0.113.7"}),
    "too many headers": (WHOLE, {f"X-{number}": "1" for number in range(120)}),
    "the end": (WHOLE, {"Connection": "close"}),
}
LEFT = {
    "a large body": (json.dumps({"text": "工资" * SMALL}), {}),
    "a question": (WHOLE, {"X-Method": "GET"}),
    "another address": (WHOLE, {"X-Path": "/v1/classified"}),
    "permission asked": (WHOLE, {"Expect": "100-continue"}),
}


def request(body=WHOLE, headers=(), version="1.1"):
    """The bytes of a call."""
    headers = {"Host": "127.0.0.1:8016", "X-Request-ID": "r-1", "X-Method": "POST", "X-Path": "/v1/classify"} | JSON | dict(headers)
    head = [f"{headers.pop('X-Method')} {headers.pop('X-Path')} HTTP/{version}", f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*head, *(f"{name}: {value}" for name, value in headers.items()), "", body]).encode()


async def answer(reader):
    """Status, headers and body of the next answer; those of 100 are passed over."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if " 100 " in head.splitlines()[0]:
        return await answer(reader)
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
    return int(head.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


class Way:
    """A service on the wire whose plain calls go straight, or all through the app. ``went`` says of each plain one whether it went straight."""

    def __init__(self, desk, straight, **settings):
        self.figures, self.went = Figures(), []
        self.app = create_app(desk, Settings(**settings), self.figures)
        self.straight = self.app.state.straight if straight else None
        if straight:
            takes = self.straight.takes
            self.straight.takes = lambda cycle: self.went.append(takes(cycle)) or self.went[-1]

    @contextlib.asynccontextmanager
    async def connected(self):
        await self.app.state.access.freshen()
        config, state = uvicorn.Config(self.app, log_config=None, ws="none", lifespan="off"), ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Wire(config, state, {}, figures=self.figures, straight=self.straight), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            server.close()

    def asked(self, *parts, answers=1):
        """The answers to some bytes, sent one part after the other."""

        async def run():
            async with self.connected() as (reader, writer):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.02 if len(parts) > 1 else 0)
                return [await asyncio.wait_for(answer(reader), 60) for _ in range(answers)]

        return asyncio.run(run())


@pytest.fixture(scope="module")
def small_desk(small_home, segmenter):
    return open_desk(small_home, taxonomies.load(small_home), segmenter)


@pytest.fixture(scope="module")
def ways(small_desk):
    return [Way(small_desk, straight, max_body=50_000) for straight in (True, False)]


@pytest.mark.parametrize("call", CALLS)
def test_both_ways_answer_alike(ways, call):
    straight, whole = (way.asked(request(*CALLS[call])) for way in ways)
    assert straight == whole
    assert ways[0].went[-1:] == [True]


@pytest.mark.parametrize("call", LEFT)
def test_what_is_not_plain_is_left_to_the_app(ways, call):
    ways[0].went.clear()
    straight, whole = (way.asked(request(*LEFT[call])) for way in ways)
    assert straight == whole
    assert ways[0].went == [False]


def test_an_old_client_is_answered_and_its_connection_ended(ways):
    straight, whole = (way.asked(request(version="1.0")) for way in ways)
    assert straight == whole
    assert straight[0][1]["connection"] == "close"


def test_calls_that_come_together_are_answered_in_their_order(ways):
    letters = [json.dumps({"id": str(number), "text": "停水三天" * 10 * number}) for number in range(8)]
    answers = [way.asked(b"".join(map(request, letters)), answers=8) for way in ways]
    assert [json.loads(body)["letter"] for _, _, body in answers[0]] == [*"01234567"]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("cut", [10, 100, -300, -20, -1])
def test_a_call_may_come_in_parts(ways, cut):
    sent = request(json.dumps({"text": "路灯坏了" * 50}))
    ((status, _, body),) = ways[0].asked(sent[:cut], sent[cut:])
    assert (status, body) == (200, ways[1].asked(sent)[0][2])
    assert ways[0].went[-1] is True


def test_both_ways_count_and_log_alike(small_desk, monkeypatch):
    lines = []
    monkeypatch.setattr(logs.LOG, "write", lambda level, event, fields, **_: lines.append({name: value for name, value in fields.items() if name != "ms"}))
    for straight in (True, False):
        way = Way(small_desk, straight)
        way.asked(request(headers={"X-Request-ID": "r-2"}))
        way.asked(request("{", headers={"X-Request-ID": "r-2"}))
        route = way.app.state.front.routes.index("/v1/classify")
        counts, _, _ = way.figures.requests(route)
        assert counts == {200: 1, 400: 1}
        assert [way.figures.total(name) for name in ("letters", "in_work")] == [1, 0]
    assert lines[:2] == lines[2:]
    assert lines[0]["received"] == len(WHOLE.encode())


def test_a_problem_names_the_request_that_it_answers(ways):
    for way in ways:
        sent = request("{", {"X-Request-ID": "r-3"})
        ((_, headers, body),) = way.asked(sent)
        assert json.loads(body)["request_id"] == headers["x-request-id"] == "r-3"
    assert logs.request_id.get() == ""


def test_who_has_an_answer_is_not_in_work_any_more(small_desk, monkeypatch):
    monkeypatch.setattr(front, "REQUESTS", 1)
    way = Way(small_desk, straight=True)
    assert [status for status, _, _ in way.asked(request() * 5, answers=5)] == [200] * 5


def test_what_nobody_foresaw_is_answered_alike(small_desk):
    answers = []
    for straight in (True, False):
        way = Way(small_desk, straight)
        way.app.state.work.decide = None
        answers.append(way.asked(request()))
        assert way.figures.total("in_work") == 0
    assert answers[0] == answers[1]
    assert answers[0][0][0] == 500


def test_a_letter_that_cannot_be_decided_is_answered_alike(small_desk):
    broken = SimpleNamespace(version="x", taxonomy=small_desk.taxonomy, segmenter=small_desk.segmenter)
    answers = [Way(broken, straight).asked(request()) for straight in (True, False)]
    assert answers[0] == answers[1]
    assert answers[0][0][0] == 500


@pytest.mark.parametrize("where", ["when it is read", "when it is decided"])
def test_one_that_fails_harms_none_that_came_together_with_it(small_desk, where):
    way, sizes = Way(small_desk, straight=True), []

    def deciding(letters):
        sizes.append(len(letters))
        if where == "when it is decided" and any("坏" in letter.body for letter in letters):
            raise ValueError
        return small_desk.decide(letters)

    picky = SimpleNamespace(version="x", taxonomy=small_desk.taxonomy, segmenter=small_desk.segmenter, decide=deciding)
    taken = way.app.state.work.decide

    def taking(desk, letters, render):
        if where == "when it is read" and "坏" in letters[0].body:
            raise ValueError
        return taken(picky, letters, render)

    way.app.state.work.decide = taking

    async def asked(text):
        async with way.connected() as (reader, writer):
            await together.wait()
            writer.write(request(json.dumps({"text": text})))
            return (await asyncio.wait_for(answer(reader), 60))[0]

    async def run():
        return await asyncio.gather(*(asked(text) for text in ("路烂了没人修", "坏", "停水三天了", "工资一分没给")))

    together = asyncio.Barrier(4)
    assert asyncio.run(run()) == [200, 500, 200, 200]
    assert way.figures.total("in_work") == 0
    assert sum(sizes) >= 3


@pytest.mark.parametrize("why", ["draining", "busy"])
def test_both_ways_refuse_alike(small_desk, why):
    answers = []
    for straight in (True, False):
        way = Way(small_desk, straight)
        way.app.state.front.draining = why == "draining"
        way.app.state.front._in_work = 64 if why == "busy" else 0
        answers.append(way.asked(request()))
        assert way.figures.total("refused") == 1
    assert answers[0] == answers[1]
    assert (answers[0][0][0], answers[0][0][1]["retry-after"]) == (503, "1")


def test_keys_and_their_limits_hold_on_both_ways(small_desk, tmp_path):
    register = book.open_register(tmp_path, "", "")
    _, right = keys.create(register, "热线", "intake", "li")
    _, staff = keys.create(register, "科室", "staff", "li")
    for key, status in ((right, 200), (staff, 403), ("ltk_x", 401), ("", 401)):
        given = {"Authorization": f"Bearer {key}"} if key else {}
        straight, whole = (Way(small_desk, way, home=tmp_path, rate_limit=1).asked(request(headers=given) * 2, answers=2) for way in (True, False))
        assert [answer[0] for answer in straight] == [answer[0] for answer in whole]
        assert [answer[1].keys() for answer in straight] == [answer[1].keys() for answer in whole]
        assert straight[0][0] == status
        assert straight[1][0] == (429 if status in {200, 403} else 401)
        assert ("ratelimit" in straight[0][1]) == (status in {200, 403})


def test_keys_are_read_anew_when_it_is_time(small_desk, tmp_path):
    times, register = [0.0], book.open_register(tmp_path, "", "")
    app = create_app(small_desk, Settings(home=tmp_path), clock=lambda: times[0])
    way = Way(small_desk, straight=True)
    way.app, way.straight = app, app.state.straight
    sent = request()

    async def asked(reader, writer):
        writer.write(sent)
        return (await answer(reader))[0]

    async def run():
        async with way.connected() as wire:
            before = await asked(*wire)
            await asyncio.to_thread(keys.create, register, "热线", "intake", "li")
            times[0] += 2
            return before, await asked(*wire)

    assert asyncio.run(run()) == (200, 401)


def closed(way, sent):
    """What the log says of a client that sends this and goes away."""
    lines = []

    async def run():
        async with way.connected() as (_, writer):
            writer.write(sent)
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()
            for _ in range(500):
                await asyncio.sleep(0.01)
                if lines:
                    break

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(logs.LOG, "write", lambda level, event, fields, **_: lines.append(fields))
        asyncio.run(run())
    return lines


def test_a_client_that_goes_away_before_all_of_its_call_came_stands_in_the_log(ways):
    for way in ways:
        assert [line["status"] for line in closed(way, request()[:-1])] == [CLOSED]
        assert way.figures.total("in_work") == 0


def test_a_client_that_goes_away_gives_its_letters_up(small_desk):
    way, waiting = Way(small_desk, straight=True), []

    def decide(*_):
        waiting.append(asyncio.get_running_loop().create_future())
        return waiting[0]

    way.app.state.work.decide = decide
    assert [line["status"] for line in closed(way, request())] == [CLOSED]
    assert waiting[0].cancelled()
    assert [way.figures.total(name) for name in ("in_work", "disconnects")] == [0, 1]
