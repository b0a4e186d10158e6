"""Who may call the service: keys, roles, limits; and without keys this machine alone."""

import logging
import os
import signal
import time
from array import array

import pytest
from doors import HERE, SECRET, Clock, door, elsewhere, key, kind
from fastapi import FastAPI
from registers import KEY, change
from starlette.testclient import TestClient
from typer.testing import CliRunner

from api import access, letters, problems
from api.cli import app as command
from api.crew import STOP
from api.limits import BUCKETS, PLACES, Limit
from api.settings import Settings, SettingsError
from triage.register import book, keys

LETTER = {"text": "小区停水三天了"}
CLOSED = "postgresql://clerk:geheim@127.0.0.1:1/letters"
CALLS = {
    keys.CLASSIFY: ("POST", "/v1/classify", LETTER),
    keys.REGISTER: ("POST", "/v1/letters", LETTER),
    keys.READ: ("GET", "/v1/letters/00000000000000000000", None),
    keys.LIST: ("GET", "/v1/letters", None),
    keys.CORRECT: ("POST", "/v1/letters/00000000000000000000/correction", {"category": "wages", "who": "王", "why": "看过"}),
    keys.RETURN: ("POST", "/v1/letters/00000000000000000000/return", {"objector": "住建局", "forwarded_on": "2026-11-02", "who": "王", "why": "看过"}),
    keys.MODELS: ("GET", "/v1/models", None),
}


@pytest.fixture(scope="module")
def guarded(desk, tmp_path_factory):
    """A service with a key of each role."""
    home = tmp_path_factory.mktemp("guarded")
    roles = {role: key(home, f"{role}的系统", role) for role in keys.ROLES}
    with door(desk, home) as opened:
        yield elsewhere(opened), roles


@pytest.fixture(scope="module")
def keyless(desk, tmp_path_factory):
    with door(desk, tmp_path_factory.mktemp("keyless")) as opened:
        yield opened


def say(client, right, headers=None):
    method, path, body = CALLS[right]
    return client.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize("right", CALLS)
@pytest.mark.parametrize("role", keys.ROLES)
def test_a_role_may_what_it_may_and_is_told_which_right_it_lacks(guarded, role, right):
    client, roles = guarded
    answer = say(client, right, roles[role])
    if right in keys.ROLES[role]:
        assert answer.status_code in {200, 201, 404}
        assert answer.headers["ratelimit"].startswith('"calls";r=')
    else:
        assert (answer.status_code, kind(answer)) == (403, "missing-scope")
        assert f'"{right}"' in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/categories", "/v1/departments"])
def test_what_is_known_is_listed_for_every_role(guarded, path):
    client, roles = guarded
    assert {client.get(path, headers=headers).status_code for headers in roles.values()} == {200}


def test_no_call_is_answered_without_a_key(guarded):
    client = guarded[0]
    for path, operations in client.app.openapi()["paths"].items():
        for method in operations:
            answer = client.request(method, path)
            assert answer.status_code == (401 if path.startswith("/v1") else 200), path
    assert client.get("/nowhere").status_code == 401


def test_a_route_that_the_gate_does_not_guard_answers_nobody():
    app = FastAPI()
    problems.install(app)
    app.include_router(letters.router)
    assert TestClient(app).post("/v1/classify", json=LETTER).status_code == 401


def refused_headers(home):
    """A key that was revoked, one that has ended, one of another office, and what is no key."""
    headers = {name: key(home, name)["Authorization"] for name in ("revoked", "ended")}
    register = book.open_register(home)
    keys.revoke(register, headers["revoked"].split()[1], "test")
    change(register, "UPDATE api_keys SET expires_at = '2020-01-01T00:00:00' WHERE name = 'ended'")
    register.close()
    key(home)
    headers["unknown"] = f"Bearer {keys._checked('ltk_00000000_' + 'a' * 32)}"
    return headers | {"foreign": "Bearer xf_live_0123", "basic": "Basic dXNlcjpwYXNz", "empty": "Bearer ", "none": None}


def test_whatever_is_wrong_with_a_key_it_is_refused_in_the_same_words(desk, tmp_path):
    headers = refused_headers(tmp_path)
    with door(desk, tmp_path) as client:
        answers = [client.get("/v1/categories", headers={"Authorization": given} if given else {}) for given in headers.values()]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert {kind(answer) for answer in answers} == {"key-refused"}
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="letter-triage"'}


def test_a_mistyped_key_is_told_so(guarded):
    client, roles = guarded
    right = roles["intake"]["Authorization"]
    for wrong in (right[:-1], right[:-1] + ("x" if right[-1] != "x" else "y"), right[:30] + right[31] + right[30] + right[32:]):
        if wrong == right:
            continue
        answer = client.get("/v1/categories", headers={"Authorization": wrong})
        assert (answer.status_code, kind(answer)) == (401, "key-mistyped")
        assert wrong.split()[1] not in answer.text
    assert client.get("/v1/categories", headers={"Authorization": right.replace("Bearer", "bearer")}).status_code == 200
    assert client.get("/v1/categories", headers=[("Authorization", right), ("Authorization", right)]).status_code == 401


def test_a_revoked_key_is_refused_a_second_later(desk, tmp_path):
    clock, header = Clock(), key(tmp_path)
    with door(desk, tmp_path, clock=clock) as client:
        assert client.get("/v1/categories", headers=header).status_code == 200
        register = book.open_register(tmp_path)
        keys.revoke(register, header["Authorization"].split()[1], "test")
        register.close()
        clock.now += 1
        assert client.get("/v1/categories", headers=header).status_code == 401


def until(happened):
    """Wait for what another thread does."""
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end


def test_a_new_key_is_known_a_second_later(desk, tmp_path):
    clock, first = Clock(), key(tmp_path)
    with door(desk, tmp_path, clock=clock) as client:
        assert client.get("/v1/categories", headers=first).status_code == 200
        second = key(tmp_path)
        clock.now += 1
        assert client.get("/v1/categories", headers=second).status_code == 200


def test_keys_hold_while_the_register_cannot_be_asked(desk, tmp_path):
    clock, header = Clock(), key(tmp_path)
    with door(desk, tmp_path, clock=clock) as client:
        assert client.get("/v1/categories", headers=header).status_code == 200
        register = book.open_register(tmp_path)
        change(register, "ALTER TABLE api_keys RENAME TO gone")
        clock.now += 5
        assert client.post("/v1/classify", json=LETTER, headers=header).status_code == 200
        clock.now += 5
        assert client.get("/v1/categories").status_code == 401
        change(register, "ALTER TABLE gone RENAME TO api_keys")
        keys.revoke(register, header["Authorization"].split()[1], "test")
        register.close()
        clock.now += 5
        until(lambda: client.get("/v1/categories", headers=header).status_code == 401)


def test_a_caller_that_asks_too_often_is_told_when_to_come_again(desk, tmp_path):
    clock, header, other = Clock(), key(tmp_path), key(tmp_path, "信箱")
    with door(desk, tmp_path, clock=clock, rate_limit=3) as client:
        answers = [client.get("/v1/categories", headers=header) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["ratelimit"] for answer in answers[:3]] == ['"calls";r=2;t=20', '"calls";r=1;t=40', '"calls";r=0;t=60']
        assert (kind(answers[3]), answers[3].headers["retry-after"], answers[3].headers["ratelimit-policy"]) == ("too-many-calls", "20", '"calls";q=3;w=60')
        assert client.get("/v1/categories", headers=other).status_code == 200
        clock.now += 20
        assert [client.get("/v1/categories", headers=header).status_code for _ in range(2)] == [200, 429]
        assert client.get("/healthz").status_code == 200


def test_an_address_that_tries_keys_is_slowed_down_and_those_with_a_key_are_not(desk, tmp_path):
    clock, header = Clock(), key(tmp_path)
    with door(desk, tmp_path, clock=clock) as opened:
        client = elsewhere(opened)
        tried = [client.get("/v1/categories", headers={"Authorization": f"Bearer xf_{number}"}) for number in range(access.WRONG_KEYS + 1)]
        assert [answer.status_code for answer in tried] == [401] * access.WRONG_KEYS + [429]
        assert (kind(tried[-1]), tried[-1].headers["retry-after"]) == ("too-many-wrong-keys", "3")
        assert client.get("/v1/categories", headers=header).status_code == 200
        assert elsewhere(opened, ("198.51.100.9", 1)).get("/v1/categories", headers={"Authorization": "Bearer xf_1"}).status_code == 401
        clock.now += 3
        assert client.get("/v1/categories", headers={"Authorization": "Bearer xf_1"}).status_code == 401
        assert opened.app.state.access.refusals["key-refused"] == access.WRONG_KEYS + 2


def test_of_ipv6_the_network_is_one_address(desk, tmp_path):
    key(tmp_path)
    with door(desk, tmp_path, clock=Clock()) as opened:
        for number in range(access.WRONG_KEYS + 1):
            answer = elsewhere(opened, (f"2001:db8:0:7::{number:x}", 1)).get("/v1/categories", headers={"Authorization": "Bearer xf_1"})
        assert answer.status_code == 429


def test_a_limit_gives_up_the_fullest_bucket_of_those_in_the_way():
    clock = Clock()
    limit = Limit(3, clock=clock)
    for number in range(PLACES):
        assert limit._place(1 + number * BUCKETS, clock.now) == 1 + number
        limit._buckets.left[1 + number] = 0  # a full one would be given up for the next, which loses nothing
    limit._buckets.left[1 : 1 + PLACES] = memoryview(array("d", [0, 1, 0, 2.5, 0, 1, 2, 0]))
    assert limit._place(1 + PLACES * BUCKETS, clock.now) == 4
    assert limit._left(4, clock.now) == 3
    assert limit._place(1 + 2 * BUCKETS, clock.now) == 3


def test_more_callers_than_there_are_buckets_are_all_answered():
    limit = Limit(1, clock=Clock())
    assert all(limit.take(str(number)).allowed for number in range(2 * BUCKETS))
    assert not limit.take(str(2 * BUCKETS - 1)).allowed


def test_forked_processes_share_the_buckets():
    limit = Limit(5, clock=Clock())
    for _ in range(3):
        child = os.fork()
        if not child:
            os._exit(limit.take("热线").left)
        os.waitpid(child, 0)
    assert limit.take("热线").left == 1


ALONE = [
    ("another machine", {"client": ("203.0.113.7", 1)}, {}, 403, "no-keys"),
    ("an unknown address", {"client": ("testclient", 1)}, {}, 403, "no-keys"),
    ("a proxy on this machine", {}, {"X-Forwarded-For": "203.0.113.7"}, 403, "no-keys"),
    ("a page that rebinds its name", {"base_url": "http://evil.example:8016"}, {}, 403, "no-keys"),
    ("a page of another site", {}, {"Sec-Fetch-Site": "cross-site", "Cookie": "a=b"}, 403, "cross-site"),
    ("a page of another port", {}, {"Origin": "http://127.0.0.1:9999"}, 403, "cross-site"),
    ("a page without an origin", {}, {"Origin": "null"}, 403, "cross-site"),
    ("our own page", {}, {"Origin": "http://127.0.0.1:8016", "Sec-Fetch-Site": "same-origin"}, 200, ""),
    ("a program", {"client": ("::1", 1), "base_url": "http://[::1]:8016"}, {}, 200, ""),
    ("a program by IPv4 in IPv6", {"client": ("::ffff:127.0.0.1", 1), "base_url": "http://localhost"}, {}, 200, ""),
    ("a useless key", {}, {"Authorization": "Bearer x"}, 200, ""),
]


@pytest.mark.parametrize(("who", "where", "headers", "status", "problem"), ALONE, ids=[row[0] for row in ALONE])
def test_without_keys_programs_of_this_machine_alone_are_answered(keyless, who, where, headers, status, problem):
    client = elsewhere(keyless, **{"client": HERE, "base_url": "http://127.0.0.1:8016"} | where)
    answer = client.post("/v1/classify", json=LETTER, headers=headers)
    assert (answer.status_code, kind(answer) if problem else "") == (status, problem)
    assert "ratelimit" not in answer.headers


HOSTS = [("evil/admin", 400), ("", 400), ("a b", 400), ("evil.example:80:80", 400), ("[::1", 400), ("user@triage.office", 400), ("triage.office", 200)]


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_a_host_is_a_name_and_nothing_else(guarded, host, status):
    client, roles = guarded
    answer = client.get("/v1/categories", headers=roles["staff"] | {"Host": host})
    assert answer.status_code == status
    assert status == 200 or kind(answer) == "bad-host"


def test_to_look_for_keys_makes_no_register(desk, tmp_path):
    with door(desk, tmp_path) as client:
        assert client.post("/v1/classify", json=LETTER).status_code == 200
        assert client.get("/v1/categories").status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_letters_are_decided_while_the_register_is_out_of_reach_and_nobody_else_gets_in(desk, tmp_path):
    with door(desk, tmp_path, database=CLOSED) as client:
        assert client.post("/v1/classify", json=LETTER).status_code == 200
        for right in (keys.REGISTER, keys.LIST, keys.READ, keys.CORRECT):
            answer = say(client, right)
            assert (answer.status_code, kind(answer), answer.headers["retry-after"]) == (503, "register-unreachable", "2")
            assert "127.0.0.1" not in answer.text
            assert "geheim" not in answer.text
        answer = elsewhere(client).post("/v1/classify", json=LETTER)
        assert (answer.status_code, kind(answer)) == (503, "register-unreachable")


@pytest.fixture
def own_signals():
    """What a service does when it is told to stop does not stay with the tests."""
    before = {number: signal.getsignal(number) for number in STOP}
    yield
    for number, does in before.items():
        signal.signal(number, does)


@pytest.mark.usefixtures("own_signals")
def test_serve_refuses_to_let_others_in_without_keys(tmp_path):
    home = {"TRIAGE_HOME": str(tmp_path), "TRIAGE_DATABASE": ""}
    done = CliRunner().invoke(command, ["serve", "--host", "0.0.0.0", "--port", "0"], env=home)
    assert isinstance(done.exception, SettingsError)
    assert done.exception.exit_status == 2
    assert "triage keys create" in str(done.exception)
    for host in ("127.0.0.1", "localhost", "::1"):
        assert access.check_address(host, Settings(home=tmp_path)).startswith("no keys: programs of this machine alone")
    key(tmp_path)
    assert access.check_address("0.0.0.0", Settings(home=tmp_path)) == ""
    assert "cannot be read (register-unreachable)" in access.check_address("0.0.0.0", Settings(home=tmp_path, database=CLOSED))  # nobody gets in


@pytest.mark.usefixtures("own_signals")
@pytest.mark.parametrize(("text_key", "number"), [("geheim", 1), (f"{KEY},{KEY[:-3]}", 2), ("geheim-密-😀", 1)])
def test_serve_refuses_a_text_key_that_is_none_and_does_not_repeat_it(tmp_path, text_key, number):
    home = {"TRIAGE_HOME": str(tmp_path), "TRIAGE_DATABASE": "", "TRIAGE_TEXT_KEY": text_key}
    done = CliRunner().invoke(command, ["serve", "--port", "0"], env=home)
    assert isinstance(done.exception, SettingsError)
    assert str(done.exception).startswith(f"TRIAGE_TEXT_KEY: key number {number} is no key. A key is 32 random bytes")
    assert not [part for part in text_key.split(",") if part in str(done.exception)]
    assert list(tmp_path.iterdir()) == []


def test_no_key_and_no_word_reaches_a_log_or_an_error(guarded, caplog):
    caplog.set_level(logging.DEBUG)
    client, roles = guarded
    planted = {"Authorization": "Bearer ltk_planted_0123456789", "X-Other": SECRET.encode().hex()}
    answers = [client.post("/v1/letters", json={"text": SECRET}, headers=headers) for headers in (*roles.values(), planted)]
    answers += [client.post("/v1/letters", content=SECRET.encode(), headers=headers) for headers in roles.values()]
    texts = [header["Authorization"].split()[1] for header in roles.values()] + ["ltk_planted_0123456789", SECRET]
    written = caplog.text + "".join(answer.text + str(answer.headers) for answer in answers if answer.status_code >= 400)
    assert not [text for text in texts if text in written]
