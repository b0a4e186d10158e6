"""The HTTP door. Every error is problem+json and none repeats a word of what was sent."""

import json
import re

import pytest
from doors import SECRET, Clock, door, probed

from triage.desk import Desk

LETTER = {"id": "A-1", "title": "讨薪", "body": "工地拖欠我们八个人四个月工资,包工头躲着不见"}


@pytest.fixture(scope="module")
def client(desk, tmp_path_factory):
    with door(desk, tmp_path_factory.mktemp("office"), max_body=200_000) as opened:
        yield opened


def post(client, body, **headers):
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return client.post("/v1/classify", content=content, headers={"content-type": "application/json"} | headers)


def test_a_letter_in_a_decision_out(client):
    answer = post(client, LETTER)
    assert answer.status_code == 200
    decision = answer.json()
    assert list(decision) == [
        "letter",
        "category",
        "candidates",
        "purpose",
        "lead",
        "co_handlers",
        "disposition",
        "needs_review",
        "reasons",
        "why",
        "model",
        "taxonomy",
    ]
    assert (decision["letter"], decision["category"]["code"], decision["lead"]["name"]) == ("A-1", "wages", "人力资源和社会保障局")


def test_text_alone_is_a_letter(client):
    assert post(client, {"text": "小区停水三天"}).json()["category"]["code"] == "utilities"


def test_a_batch_comes_back_in_order(client):
    answer = post(client, {"letters": [LETTER | {"id": str(number)} for number in range(20)] + [{"text": ""}]})
    decisions = answer.json()["decisions"]
    assert [decision["letter"] for decision in decisions] == [*map(str, range(20)), ""]
    assert decisions[-1]["category"] is None


def test_the_answer_is_what_the_desk_decides(client, desk):
    from triage.letter import Letter

    expected = desk.decide([Letter(LETTER["body"], title=LETTER["title"], id="A-1")])[0].as_dict()
    assert post(client, LETTER).json() == json.loads(json.dumps(expected))


WRONG = [
    (b"", 400, "empty-body"),
    (b"  \n", 400, "empty-body"),
    (b'{"text": "' + SECRET.encode(), 400, "invalid-json"),
    (b'{"text": "\\ud800' + SECRET.encode() + b'"}', 400, "invalid-unicode"),
    (b'{"text": NaN}', 400, "invalid-json"),
    (b'{"text": "a\x01b"}', 400, "invalid-json"),
    (b"[" * 100_000, 400, "json-too-deep"),
    (f'{{"text": "{SECRET}"}}'.encode("gb18030"), 400, "not-utf8"),
    (json.dumps([SECRET]), 422, "object-expected"),
    (json.dumps(None), 422, "object-expected"),
    (json.dumps({"txet": SECRET}), 422, "unknown-field"),
    (json.dumps({"text": SECRET, SECRET: 1}), 422, "unknown-field"),
    (json.dumps({"id": SECRET}), 422, "invalid-input"),
    (json.dumps({"text": 3}), 422, "invalid-input"),
    (json.dumps({"text": [SECRET]}), 422, "invalid-input"),
    (json.dumps({"text": SECRET, "channel": SECRET}), 422, "invalid-input"),
    (json.dumps({"text": SECRET, "body": SECRET}), 422, "invalid-input"),
    (json.dumps({"letters": []}), 422, "invalid-input"),
    (json.dumps({"letters": SECRET}), 422, "invalid-input"),
    (json.dumps({"letters": [SECRET]}), 422, "object-expected"),
    (json.dumps({"letters": [{"text": SECRET}], "text": SECRET}), 422, "invalid-input"),
    (json.dumps({"letters": [{"text": "a"}] * 1_001}), 413, "too-many-items"),
    (json.dumps({"text": "字" * 100_001}, ensure_ascii=False).encode(), 413, "body-too-large"),
    (json.dumps({"text": "a" * 100_001}), 422, "text-too-long"),
]


@pytest.mark.parametrize(("body", "status", "kind"), WRONG, ids=[f"{kind}-{number}" for number, (_, _, kind) in enumerate(WRONG)])
def test_a_bad_body_is_a_problem_that_repeats_nothing(client, body, status, kind):
    answer = post(client, body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["type"].endswith(f":{kind}")
    assert problem["status"] == status
    assert SECRET not in answer.text
    assert len(answer.text) < 1_000


def test_a_mistyped_field_is_named_with_the_nearest(client):
    assert 'unknown field "txet" (nearest "text")' in post(client, {"txet": "x"}).json()["detail"]


def test_a_byte_order_mark_is_no_trouble(client):
    assert post(client, b"\xef\xbb\xbf" + json.dumps(LETTER).encode()).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-type": "application/json; charset=gb18030"},
        {"content-encoding": "gzip"},
        {"content-type": "multipart/form-data"},
    ],
)
def test_another_content_type_is_refused(client, headers):
    answer = post(client, LETTER, **headers)
    assert (answer.status_code, answer.headers["accept-post"]) == (415, "application/json")


@pytest.mark.parametrize("size", [199_999, 200_000, 200_001])
def test_the_size_limit_is_exact(client, size):
    frame = json.dumps({"text": "", "id": ""})
    body = frame + " " * (size - len(frame))
    assert len(body) == size
    assert post(client, body).status_code == (413 if size > 200_000 else 200)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/classify", 405), ("GET", "/nowhere", 404), ("GET", "//evil.example/x", 404), ("GET", "/%ff", 404)]
)
def test_a_wrong_address_or_method_is_a_problem_that_does_not_reflect_it(client, method, path, status):
    answer = client.request(method, f"http://127.0.0.1:8016{path}", follow_redirects=False)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert "evil" not in answer.text
    assert "nowhere" not in answer.text


def test_what_is_known_is_listed(client, taxonomy):
    categories, departments = client.get("/v1/categories").json(), client.get("/v1/departments").json()
    assert [category["code"] for category in categories] == list(taxonomy.categories)
    assert categories[0]["lead"]["name"] == "自然资源和规划局"
    assert {"国土局", "规划局"} <= set(departments[0]["aliases"])
    assert "village" not in [department["code"] for department in departments]


def test_probes_tell_life_and_readiness(client, desk, taxonomy, segmenter, tmp_path):
    assert client.get("/healthz").json()["status"] == "ok"
    assert probed(client, Clock(), "ready") == {"status": "ready", "detail": desk.version, "refused": ""}
    with door(Desk(taxonomy, segmenter, None), tmp_path) as bare:
        assert (bare.get("/healthz").status_code, bare.get("/readyz").status_code) == (200, 503)
        assert post(bare, LETTER).json()["reasons"][0]["rule"] == "no_model"


def test_the_page_needs_no_internet(client):
    page = client.get("/docs").text
    assert re.findall(r"(?:https?:)?//[\w.]+", page) == []
    assert '"validatorUrl": null' in page  # otherwise the document of a service with a public name is sent to a stranger
    assert all(place.startswith("data:") for place in re.findall(r"url\([\"']?([^)\"']*)", client.get("/static/swagger-ui.css").text))
    assert "@import" not in client.get("/static/swagger-ui.css").text
    for path in ("/static/swagger-ui-bundle.js", "/static/swagger-ui.css", "/static/favicon.svg"):
        assert path in page
        assert client.get(path).status_code == 200


def test_openapi_tells_the_truth_about_the_decision(client):
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v1/classify"]["post"]
    assert "包工头" in json.dumps(operation["requestBody"], ensure_ascii=False)
    assert {"200", "400", "413", "415", "422"} < set(operation["responses"])
    decision = document["components"]["schemas"]["DecisionOut"]["properties"]
    assert list(decision) == list(post(client, LETTER).json())


def test_importing_the_app_needs_no_model(tmp_path):
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", "import api.app"], check=True, env={"TRIAGE_HOME": str(tmp_path / "none"), "PATH": ""})
