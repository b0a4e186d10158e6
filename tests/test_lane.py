"""The straight way to an endpoint answers as the whole app does."""

import json

import pytest
from doors import HERE
from starlette.testclient import TestClient

from api.app import create_app
from api.figures import Figures
from api.lane import Lane
from api.settings import Settings
from triage import taxonomy as taxonomies
from triage.desk import open_desk

LETTER = {"id": "7", "title": "讨薪", "body": "包工头欠我们八个人四个月工资不给"}
JSON = {"Content-Type": "application/json"}
CALLS = {
    "a letter": (json.dumps(LETTER), JSON),
    "several": (json.dumps({"letters": [LETTER, {"text": ""}]}), JSON),
    "no letter": ("[]", JSON),
    "an unknown field": ('{"txet": "x"}', JSON),
    "no JSON": ("{", JSON),
    "nothing": ("", JSON),
    "another type": ("x", {"Content-Type": "text/plain"}),
    "too much": ("x" * 60_000, JSON),
    "a foreign page": (json.dumps(LETTER), JSON | {"Origin": "http://elsewhere.example"}),
    "no host": (json.dumps(LETTER), JSON | {"Host": "a b"}),
}


@pytest.fixture(scope="module")
def ways(small_home, segmenter):
    """A client of the service as it is, and one of the same service whose calls all go through the whole app; with the routes that each has counted."""
    clients = []
    for straight in (True, False):
        figures = Figures()
        app = create_app(open_desk(small_home, taxonomies.load(small_home), segmenter), Settings(max_body=50_000), figures)
        assert isinstance(app.state.front._app, Lane)
        if not straight:
            app.state.front._app = app.state.front._app._behind
        clients.append((TestClient(app, client=HERE, base_url="http://127.0.0.1:8016", raise_server_exceptions=False), app.state.front, figures))
    return clients


@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS"])
@pytest.mark.parametrize("call", CALLS)
def test_both_ways_answer_alike(ways, call, method):
    body, headers = CALLS[call]
    answers = [client.request(method, "/v1/classify", content=body, headers=headers | {"X-Request-ID": "r-1"}) for client, _, _ in ways]
    straight, whole = ((answer.status_code, dict(answer.headers), answer.content) for answer in answers)
    assert straight == whole


def test_both_ways_count_the_route(ways):
    counted = []
    for client, front, figures in ways:
        client.post("/v1/classify", json=LETTER)
        counts, _, _ = figures.requests(front.routes.index("/v1/classify"))
        counted.append(counts[200] > 0)
    assert counted == [True, True]


def test_what_nobody_foresaw_is_answered_alike(ways):
    answers = []
    for client, _, _ in ways:
        work, client.app.state.work = client.app.state.work, None
        answers.append(client.post("/v1/classify", json=LETTER, headers={"X-Request-ID": "r-2"}))
        client.app.state.work = work
    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[0].json() == answers[1].json()
