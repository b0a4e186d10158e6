"""The register over HTTP: what intake systems and staff rely on."""

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

import pytest
from doors import Clock, door, key, kind, probed
from registers import TEXT, count

from api import opened
from triage.register import book, idempotency

WAGES = {"id": "2026-001873", "title": "讨要工钱", "body": TEXT, "sender": "P-7", "channel": "web", "place": "石桥镇"}
LIFT = {"id": "2026-001874", "text": "小区停水三天了,物业说管子坏了没钱修", "sender": "P-8"}
CORRECTION = {"category": "utilities", "who": "王敏", "why": "信里说的是停水"}
RETURN = {"objector": "人社局", "forwarded_on": "2026-09-30", "returned_on": "2026-10-13", "who": "张科长", "why": "不属于本单位职责"}


class Office:
    """A service, the headers of its callers, and its register."""

    def __init__(self, client, home, database=""):
        self.client, self.home, self.database = client, home, database
        self.intake, self.other = (key(home, name, "intake", database) for name in ("热线系统", "信箱系统"))
        self.staff = key(home, "来信科", "staff", database)

    def put(self, letter, headers=None, **more):
        return self.client.post("/v1/letters", json=letter, headers=(headers or self.intake) | more)

    def get(self, path, headers=None):
        return self.client.get(f"/v1/letters{path}", headers=headers or self.staff)

    def say(self, path, body, **more):
        return self.client.post(f"/v1/letters{path}", json=body, headers=self.staff | more)


@pytest.fixture
def office(desk, tmp_path, database):
    if database:
        book.upgrade(tmp_path, database)
    with door(desk, tmp_path, database=database, clock=Clock()) as client:
        yield Office(client, tmp_path, database)


@pytest.fixture(scope="module")
def shared_office(desk, tmp_path_factory):
    """An office in which letters of others do no harm."""
    home = tmp_path_factory.mktemp("shared")
    with door(desk, home, clock=Clock()) as client:
        yield Office(client, home)


def test_a_letters_life(office):
    made = office.put(WAGES)
    letter = made.json()["id"]
    assert (made.status_code, made.headers["location"], made.json()["duplicate"]) == (201, f"/v1/letters/{letter}", False)
    assert (made.json()["decision"]["letter"], made.json()["decision"]["category"]["code"]) == ("2026-001873", "wages")
    again = office.put(WAGES)
    assert (again.status_code, again.json()) == (200, made.json() | {"duplicate": True})
    repeat = office.put(WAGES | {"id": "2026-002000"})
    assert (repeat.status_code, repeat.json()["repeats"]) == (201, letter)

    found = office.get(f"/{letter}")
    assert found.headers["etag"] == '"1.0.0"'
    assert (found.json()["letter"], found.json()["source"], found.json()["body"], found.json()["place"]) == ("2026-001873", "热线系统", TEXT, "石桥镇")
    assert found.json()["decisions"][0]["decision"] == made.json()["decision"]

    said = office.say(f"/{letter}/correction", {"department": "房管局"} | CORRECTION)
    assert said.json() == {
        "letter": letter,
        "review": "done",
        "category": {"code": "utilities", "name": "供水供电供气供热"},
        "purpose": None,
        "department": {"code": "housing", "name": "住房和城乡建设局"},
    }
    back = office.say(f"/{letter}/return", RETURN | {"objector": "住建局", "department": "人社局"})
    assert (back.status_code, back.json()["in_time"], back.json()["due_on"]) == (201, True, "2026-10-13")
    found = office.get(f"/{letter}")
    assert found.headers["etag"] == '"1.1.1"'
    assert (found.json()["category"]["code"], found.json()["department"]["code"], found.json()["review"]) == ("utilities", "human_resources", "returned")
    assert found.json()["decisions"][0]["decision"] == made.json()["decision"]  # beside it, never over it
    assert [entry["who"] for entry in found.json()["corrections"] + found.json()["returns"]] == ["王敏", "张科长"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_who_said_what_through_which_key_stands_in_the_trail(office):
    letter = office.put(WAGES).json()["id"]
    office.say(f"/{letter}/correction", CORRECTION)
    register = book.open_register(office.home, office.database)
    with register.reading() as connection:
        trail = connection.exec_driver_sql("SELECT action, who, detail FROM audit ORDER BY seq").all()[3:]
    register.close()
    intake, staff = (header["Authorization"].split()[1].split("_")[1] for header in (office.intake, office.staff))
    assert [(action, who) for action, who, _ in trail] == [("register", f"热线系统 ({intake})"), ("correct", "王敏")]
    assert json.loads(trail[1][2])["key"] == staff


def test_a_letter_that_cannot_be_judged_is_registered_all_the_same(shared_office):
    made = shared_office.put({"text": ""})
    assert (made.status_code, made.json()["decision"]["category"], made.json()["decision"]["needs_review"]) == (201, None, True)
    found = shared_office.get(f"/{made.json()['id']}").json()
    assert (found["category"], found["department"], found["review"]) == (None, None, "open")


def test_a_repeated_call_gets_the_answer_of_the_first(office):
    first, again = (office.put({"text": TEXT}, **{"Idempotency-Key": "k-1"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.content, first.headers["location"]) == (again.content, again.headers["location"])
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert office.put({"text": TEXT}, **{"Idempotency-Key": '"k-1"'}).content == first.content  # a structured field's quotes
    assert office.put({"text": TEXT}, office.other, **{"Idempotency-Key": "k-1"}).json()["id"] != first.json()["id"]  # another caller's key
    letter = f"/{first.json()['id']}"
    said = [office.say(f"{letter}/{call}", body, **{"Idempotency-Key": "k-1"}) for call, body in (("correction", CORRECTION), ("return", RETURN)) * 2]
    assert [answer.status_code for answer in said] == [201] * 4
    assert [answer.headers.get("idempotency-replayed") for answer in said] == [None, None, "true", "true"]
    assert (said[0].content, said[1].content) == (said[2].content, said[3].content)
    assert office.get(letter).headers["etag"] == '"1.1.1"'


def test_another_body_under_the_same_key_is_refused(shared_office):
    shared_office.put({"text": TEXT}, **{"Idempotency-Key": "k-body"})
    answer = shared_office.put({"text": "小区停水三天了"}, **{"Idempotency-Key": "k-body"})
    assert (answer.status_code, kind(answer)) == (422, "idempotency-key-reused")


def test_the_same_body_in_another_order_is_the_same_body(shared_office):
    first = shared_office.put({"title": "讨薪", "body": TEXT}, **{"Idempotency-Key": "k-order"})
    assert shared_office.put({"body": TEXT, "title": "讨薪"}, **{"Idempotency-Key": "k-order"}).content == first.content


@pytest.mark.parametrize("given", ["", '""', "甲".encode(), "k" * 256, b"a\x01b", "a b", '"a"b"', b"\xff"])
def test_a_bad_idempotency_key_is_refused(shared_office, given):
    answer = shared_office.client.post("/v1/letters", json=WAGES, headers=[*shared_office.intake.items(), ("Idempotency-Key", given)])
    assert (answer.status_code, kind(answer)) == (400, "bad-idempotency-key")


def test_two_idempotency_keys_are_none(shared_office):
    headers = [*shared_office.intake.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert kind(shared_office.client.post("/v1/letters", json=WAGES, headers=headers)) == "bad-idempotency-key"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_call_that_still_runs_is_told_so_and_when_to_come_again(office):
    register = book.open_register(office.home, office.database)
    body = {"text": TEXT}
    digest = sha256(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
    claim = idempotency.claim(register, "热线系统 POST /v1/letters", "k-1", digest)
    answer = office.put(body, **{"Idempotency-Key": "k-1"})
    assert (answer.status_code, kind(answer), answer.headers["retry-after"]) == (409, "idempotency-running", "1")
    idempotency.release(register, claim)
    assert office.put(body, **{"Idempotency-Key": "k-1"}).status_code == 201
    register.close()


def test_of_calls_that_come_together_one_registers(office):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(office.put(WAGES, **{"Idempotency-Key": "k-1"}))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    register = book.open_register(office.home, office.database)
    assert (count(register, "letters"), count(register, "decisions")) == (1, 1)
    register.close()


def test_a_call_that_failed_leaves_its_key_free(shared_office):
    shared_office.put({"id": "F-1", "text": TEXT})
    failed = shared_office.put({"id": "F-1", "text": "另一封信说停水"}, **{"Idempotency-Key": "k-free"})
    assert (failed.status_code, kind(failed)) == (409, "other-letter-same-id")
    assert "retry-after" not in failed.headers
    assert shared_office.put({"id": "F-2", "text": "另一封信说停水"}, **{"Idempotency-Key": "k-free"}).status_code == 201


def test_intake_reads_its_own_letters_and_no_others(shared_office):
    letter = shared_office.put({"text": "路灯坏了半年没人修"}).json()["id"]
    assert shared_office.get(f"/{letter}", shared_office.intake).status_code == 200
    for path, headers in ((letter, shared_office.other), ("0" * 20, shared_office.intake)):
        answer = shared_office.get(f"/{path}", headers)
        assert (answer.status_code, kind(answer)) == (404, "no-such-letter")
    assert shared_office.get(f"/{letter}", shared_office.staff).status_code == 200


def test_keys_of_one_name_are_one_caller(shared_office):
    letter = shared_office.put({"id": "N-1", "text": TEXT}).json()["id"]
    changed = key(shared_office.home, "热线系统", "intake")
    shared_office.client.app.state.access._keyring._clock.now += 1
    assert shared_office.put({"id": "N-1", "text": TEXT}, changed).json() == shared_office.put({"id": "N-1", "text": TEXT}).json()
    assert shared_office.get(f"/{letter}", changed).status_code == 200


@pytest.mark.parametrize("letter", ["nobody", "0" * 20, "%00", "..%2f", "A" * 20, "0" * 5_000, "%F0%A0%AE%B7"])
@pytest.mark.parametrize("call", ["", "/correction", "/return"])
def test_a_letter_that_is_not_there_is_a_404(shared_office, letter, call):
    answer = shared_office.say(f"/{letter}{call}", CORRECTION if call == "/correction" else RETURN) if call else shared_office.get(f"/{letter}")
    assert answer.status_code == 404
    assert kind(answer) in {"no-such-letter", "not-found"}


@pytest.fixture(scope="module")
def listed(desk, tmp_path_factory):
    """An office of seven letters, and their ids."""
    home = tmp_path_factory.mktemp("listed")
    with door(desk, home, clock=Clock()) as client:
        office = Office(client, home)
        yield office, [office.put({"id": f"L-{number}", "text": WAGES["body"] if number % 2 else LIFT["text"]}).json()["id"] for number in range(7)]


TODAY = datetime.now(UTC).astimezone().date()
DAYS = [(TODAY + timedelta(days)).isoformat() for days in (-2, 0, 3)]  # midnight may come between here and there
FOUND = [
    ("", 7),
    ("department=human_resources", 3),
    ("department=人力资源和社会保障局", 3),
    ("department=劳动局", 3),
    ("category=wages", 3),
    ("category=拖欠工资", 3),
    ("category=wages&department=国土局", 0),
    ("review=returned", 0),
    (f"since={DAYS[0]}", 7),
    (f"until={DAYS[0]}", 0),
    (f"since={DAYS[0]}&until={DAYS[2]}", 7),
    (f"since={DAYS[2]}", 0),
    (f"since={datetime.now(UTC).year - 1}-01-01T00:00:00%2B08:00", 7),
    (f"since={datetime.now(UTC).year - 1}-01-01T00:00:00+08:00", 7),
    ("until=1999-12-31T00:00:00Z", 0),
]


@pytest.mark.parametrize(("query", "letters"), FOUND)
def test_letters_are_found_by_what_holds_today(listed, query, letters):
    answer = listed[0].get(f"?{query}")
    assert (answer.status_code, len(answer.json()["letters"]), answer.json()["next"]) == (200, letters, None)
    assert TEXT not in answer.text


WRONG = [
    ("limit=0", "invalid-parameter"),
    ("limit=-1", "invalid-parameter"),
    ("limit=1e9", "invalid-parameter"),
    ("limit=1001", "invalid-parameter"),
    ("limit=abc", "invalid-parameter"),
    ("limit=", "invalid-parameter"),
    ("limit=٣", "invalid-parameter"),
    ("limit=1&limit=2", "invalid-parameter"),
    ("departement=housing", "unknown-parameter"),
    ("云岭机密=1", "unknown-parameter"),
    ("department=云岭机密局", "unknown-code"),
    ("department=", "invalid-parameter"),
    ("review=", "invalid-parameter"),
    ("since=", "invalid-parameter"),
    ("since=20261122", "invalid-parameter"),
    ("since=2026-W47-1", "invalid-parameter"),
    ("cursor=", "invalid-parameter"),
    ("department=village", "unknown-code"),
    ("category=%00", "unknown-code"),
    ("review=new", "invalid-parameter"),
    ("since=yesterday", "invalid-parameter"),
    ("since=2026-02-30", "invalid-parameter"),
    ("since=2026-11-22T08:00:00", "invalid-parameter"),
    ("since=0001-01-01", "invalid-parameter"),
    ("until=9999-12-31", "invalid-parameter"),
    ("until=9999-12-31T23:59:59-23:59", "invalid-parameter"),
]


@pytest.mark.parametrize(("query", "problem"), WRONG)
def test_a_wrong_filter_is_named_and_not_repeated(listed, query, problem):
    answer = listed[0].get(f"?{query}")
    assert (answer.status_code, kind(answer)) == (422, problem)
    assert "云岭" not in answer.text


def pages(office, query, cursor=""):
    while True:
        answer = office.get(f"?{query}{f'&cursor={quote(cursor)}' if cursor else ''}").json()
        yield [letter["id"] for letter in answer["letters"]]
        cursor = answer["next"]
        if not cursor:
            return


def test_pages_hold_every_letter_once_newest_first(listed):
    office, ids = listed
    assert list(pages(office, "limit=3")) == [ids[6:3:-1], ids[3:0:-1], ids[:1]]
    assert [letter for page in pages(office, "limit=2&category=wages") for letter in page] == [ids[5], ids[3], ids[1]]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_letters_that_come_meanwhile_change_no_page_behind(office):
    ids = [office.put({"text": TEXT}).json()["id"] for _ in range(3)]
    cursor = office.get("?limit=1").json()["next"]
    office.put({"text": TEXT})
    assert [letter["id"] for letter in office.get(f"?limit=5&cursor={cursor}").json()["letters"]] == [ids[1], ids[0]]


def test_a_forged_or_foreign_cursor_is_refused(listed, shared_office):
    office = listed[0]
    own = office.get("?limit=1").json()["next"]
    shared_office.put({"text": TEXT})
    shared_office.put({"text": TEXT})
    foreign = shared_office.get("?limit=1").json()["next"]
    for query in (
        f"cursor={foreign}",
        f"category=wages&cursor={own}",
        f"cursor={own[:-3]}",
        f"cursor=A{own}",
        "cursor=1",
        "cursor=云岭",
        "cursor=%00",
        f"cursor={'A' * 5000}",
    ):
        answer = office.get(f"?limit=1&{query}")
        assert (answer.status_code, kind(answer)) == (400, "bad-cursor")
    assert office.get(f"?limit=1&cursor={own}").status_code == 200


BAD_CORRECTIONS = [
    ({"who": "王敏", "why": "看过"}, "empty-correction"),
    ({"category": "wages", "why": "看过"}, "invalid-input"),
    ({"category": "wages", "who": "王敏"}, "invalid-input"),
    ({"category": "wages", "who": "", "why": "看过"}, "invalid-input"),
    ({"category": "云岭机密", "who": "王敏", "why": "看过"}, "unknown-code"),
    ({"purpose": "云岭机密", "who": "王敏", "why": "看过"}, "unknown-code"),
    ({"department": "云岭机密局", "who": "王敏", "why": "看过"}, "unknown-code"),
    ({"department": "village", "who": "王敏", "why": "看过"}, "unknown-code"),
    ({"categorie": "wages", "who": "王敏", "why": "看过"}, "unknown-field"),
    ({"category": 3, "who": "王敏", "why": "看过"}, "invalid-input"),
    ({"category": "wages", "who": "王敏", "why": "云岭机密" * 600}, "text-too-long"),
    (["云岭机密"], "object-expected"),
]


@pytest.mark.parametrize(("body", "problem"), BAD_CORRECTIONS)
def test_a_bad_correction_changes_nothing(listed, body, problem):
    office, ids = listed
    answer = office.say(f"/{ids[0]}/correction", body)
    assert (answer.status_code, kind(answer)) == (422, problem)
    assert "云岭" not in answer.text
    assert office.get(f"/{ids[0]}").headers["etag"] == '"1.0.0"'


BAD_RETURNS = [
    ({"forwarded_on": "2026-02-30"}, "invalid-days"),
    ({"forwarded_on": "9999-12-31"}, "invalid-days"),
    ({"forwarded_on": "0001-01-01"}, "invalid-days"),
    ({"forwarded_on": "昨天"}, "invalid-input"),
    ({"returned_on": "2026-09-01"}, "invalid-days"),
    ({"returned_on": "2026-13-01"}, "invalid-days"),
    ({"objector": "云岭机密局"}, "unknown-code"),
    ({"category": "云岭机密"}, "unknown-code"),
    ({"why": ""}, "invalid-input"),
]


@pytest.mark.parametrize(("change", "problem"), BAD_RETURNS)
def test_a_bad_return_changes_nothing(listed, change, problem):
    office, ids = listed
    answer = office.say(f"/{ids[0]}/return", RETURN | change)
    assert (answer.status_code, kind(answer)) == (422, problem)
    assert office.get(f"/{ids[0]}").headers["etag"] == '"1.0.0"'


def test_a_return_of_today_needs_no_day_and_one_that_came_late_is_kept(shared_office):
    letter = shared_office.put({"text": TEXT}).json()["id"]
    body = {name: value for name, value in RETURN.items() if name != "returned_on"}
    assert shared_office.say(f"/{letter}/return", body | {"forwarded_on": TODAY.isoformat()}).json()["in_time"] is True
    late = shared_office.say(f"/{letter}/return", RETURN | {"returned_on": "2026-10-14"})
    assert (late.status_code, late.json()["in_time"]) == (201, False)


def test_a_correction_of_what_has_changed_since_is_refused_when_asked_for(shared_office):
    letter = shared_office.put({"text": TEXT}).json()["id"]
    seen = shared_office.get(f"/{letter}").headers["etag"]
    assert shared_office.say(f"/{letter}/correction", CORRECTION, **{"If-Match": seen}).status_code == 201
    for stale in (seen, "W/" + seen, "1.1.0", '""'):
        answer = shared_office.say(f"/{letter}/correction", CORRECTION, **{"If-Match": stale})
        assert (answer.status_code, kind(answer)) == (412, "stale-letter")
    assert shared_office.say(f"/{letter}/correction", CORRECTION, **{"If-Match": "*"}).status_code == 201
    assert shared_office.get(f"/{letter}").headers["etag"] == '"1.2.0"'


def test_models_are_listed_with_the_one_that_decides(desk, home):
    from doors import Door

    from api.app import create_app
    from api.settings import Settings

    with Door(create_app(desk, Settings(home=home))) as client:
        answer = client.get("/v1/models").json()
    assert answer["live"] == answer["serving"] == desk.version
    assert [(model["version"], model["live"], model["sound"]) for model in answer["models"]] == [(desk.version, True, True)]


def test_a_register_that_stops_and_comes_back_loses_nothing(desk, tmp_path, postgresql):
    database = postgresql.create()
    book.upgrade(tmp_path, database)
    clock = Clock()
    with door(desk, tmp_path, database=database, clock=clock) as client:
        headers = key(tmp_path, role="steward", database=database)

        def put(letter, name):
            return client.post("/v1/letters", json=letter, headers=headers | {"Idempotency-Key": name})

        first = put(WAGES, "k-1")
        postgresql.stop()
        try:
            refused = put(LIFT, "k-2")
            assert (refused.status_code, kind(refused), refused.headers["retry-after"]) == (503, "register-unreachable", "2")
            assert client.post("/v1/classify", json=WAGES, headers=headers).status_code == 200
            probed(client, clock, "register-unreachable")
        finally:
            postgresql.start()
        probed(client, clock, "ready")
        assert put(WAGES, "k-1").content == first.content
        assert put(LIFT, "k-2").status_code == 201
        assert len(client.get("/v1/letters", headers=headers).json()["letters"]) == 2


def test_calls_past_those_that_may_wait_for_the_register_are_told_to_come_again_and_letters_are_decided(desk, tmp_path):
    header, held = key(tmp_path, role="steward"), threading.Event()
    with door(desk, tmp_path, clock=Clock()) as client:
        assert client.get("/v1/categories", headers=header).status_code == 200
        way = client.app.state.door
        waiting = [client.portal.start_task_soon(way.call, held.wait) for _ in range(opened.THREADS + opened.WAITING)]
        while way._threads.statistics().tasks_waiting < opened.WAITING:
            client.portal.call(asyncio.sleep, 0)
        answer = client.get("/v1/letters", headers=header)
        assert (answer.status_code, kind(answer), answer.headers["retry-after"]) == (503, "register-busy", "2")
        assert client.post("/v1/classify", json=WAGES, headers=header).status_code == 200
        held.set()
        for task in waiting:
            task.result(60)
        assert client.get("/v1/letters", headers=header).status_code == 200
