"""OpenAPI tells all of it, and nothing else. That every answer of the other tests is as it says is seen to by ``doors.Door``."""

import ast
import re
from pathlib import Path

import jsonschema_rs
import pytest
from doors import door, kind

from api import app as service
from api import archives, letters, lists, registered
from api.examples import ANSWERS
from api.kinds import KINDS
from api.settings import Settings
from triage.register.keys import ROLES

ROOT = Path(__file__).parent.parent
OF_ADDRESSES = {"not-found", "method-not-allowed"}  # of what is no call at all


@pytest.fixture(scope="module")
def document(desk):
    return service.create_app(desk, Settings()).openapi()


@pytest.fixture(scope="module")
def operations(document):
    return {(method.upper(), path): call for path, calls in document["paths"].items() for method, call in calls.items() if path.startswith("/v1")}


def test_every_route_is_described_and_nothing_else(operations):
    routes = {(method, route.path) for room in (archives, letters, lists, registered) for route in room.router.routes for method in route.methods}
    assert set(operations) == routes


def test_every_call_says_in_chinese_what_it_is_for_and_asks_for_a_key(operations, document):
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for call in operations.values():
        assert re.search(r"[\u4e00-\u9fff]", call["summary"])
        assert call["security"] == [{"key": []}]
        assert call["x-right"] == "" or call["x-right"] in ROLES["steward"]


def test_every_status_has_its_problems_and_every_example_is_one(operations, document):
    for where, call in operations.items():
        for status, answer in call["responses"].items():
            if int(status) < 400:
                assert all(content["schema"] for content in answer.get("content", {}).values()), where
                assert answer.get("content") or int(status) == 204, where
                continue
            assert list(answer["content"]) == ["application/problem+json"]
            content = answer["content"]["application/problem+json"]
            checker = jsonschema_rs.validator_for(content["schema"] | {"components": document["components"]})
            for name, example in content["examples"].items():
                checker.validate(example["value"])
                assert (example["value"]["type"].rpartition(":")[2], example["value"]["status"]) == (name, int(status) if status.isdecimal() else 0)
                assert KINDS[name].status == int(status)
                assert re.search(r"[\u4e00-\u9fff]", example["summary"])


def test_answers_have_examples_that_are_as_the_description_says(document):
    shown = {name: part for name, part in document["components"]["schemas"].items() if "examples" in part}
    assert set(ANSWERS) <= set(shown)
    for part in shown.values():
        for example in part["examples"]:
            jsonschema_rs.validator_for(part | {"components": document["components"]}).validate(example)


def test_every_kind_of_problem_stands_at_some_call(operations):
    told = {
        name
        for call in operations.values()
        for status, answer in call["responses"].items()
        if int(status) >= 400
        for name in answer["content"]["application/problem+json"]["examples"]
    }
    assert set(KINDS) - told == OF_ADDRESSES


REACHED = ["archives", "bodies", "access", "once", "queries", "registered", "lists", "letters", "schemas", "problems", "opened"]  # of api
STORED = ["entries", "idempotency", "verdicts", "listing", "book", "engine", "faults", "files", "migrate", "cipher", "audit"]  # of triage.register


def raised():
    """Every kind that a room on the way of a call gives to an error."""
    for path in [*(ROOT / "api" / f"{room}.py" for room in REACHED), *(ROOT / "triage/register" / f"{room}.py" for room in STORED)]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "kind" and isinstance(node.value, ast.Constant):
                yield node.value.value
    faults = ast.parse((ROOT / "triage/register/faults.py").read_text("utf-8"))
    yield from (
        node.elts[0].value for node in ast.walk(faults) if isinstance(node, ast.Tuple) and len(node.elts) == 4 and isinstance(node.elts[0], ast.Constant)
    )


def test_no_error_has_a_kind_that_nobody_listed():
    assert {kind for kind in raised() if kind} - set(KINDS) == set()


def test_the_examples_of_bodies_and_parameters_are_accepted(operations, desk, tmp_path):
    with door(desk, tmp_path) as client:
        known = client.post("/v1/letters", json={"text": "小区停水三天了"}).json()["id"]
        for (method, path), call in operations.items():
            if method == "POST":
                for example in call["requestBody"]["content"].get("application/json", {"examples": {}})["examples"].values():
                    answer = client.post(path.replace("{id}", known), json=example["value"])
                    assert answer.status_code in {200, 201}, answer.text
            for parameter in call.get("parameters", []):
                if parameter["in"] == "query" and (value := parameter.get("example", parameter["schema"].get("example"))):
                    assert client.get(path, params={parameter["name"]: value}).status_code == 200, parameter


def test_the_schema_of_a_letter_is_what_is_checked(operations, desk, tmp_path):
    checker = jsonschema_rs.validator_for(operations["POST", "/v1/letters"]["requestBody"]["content"]["application/json"]["schema"])
    tried = [
        {},
        {"id": "1"},
        {"text": ""},
        {"text": "a", "title": "b"},
        {"text": "a", "title": ""},
        {"text": "", "body": "a"},
        {"body": "a", "title": "b"},
        {"title": "a"},
    ]
    tried += [
        {"text": 3},
        {"text": "a", "channel": "pigeon"},
        {"text": "a", "channel": ""},
        {"text": "a", "x": 1},
        {"text": "a", "id": "1" * 201},
        {"text": None},
    ]
    with door(desk, tmp_path) as client:
        for letter in tried:
            answer = client.post("/v1/classify", json=letter)
            assert (answer.status_code == 200) is checker.is_valid(letter), (letter, answer.text)
            assert answer.status_code == 200 or kind(answer) in {"invalid-input", "unknown-field", "text-too-long"}
