"""The HTTP service as tests call it: from this machine or from elsewhere, with every answer held against the service's own OpenAPI document."""

import json
import re
import time
from functools import cache

import jsonschema_rs
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from triage.register import book, keys

HERE, ELSEWHERE = ("127.0.0.1", 50_000), ("203.0.113.7", 50_000)
SECRET = "云岭机密甲乙丙"


class Door(TestClient):
    """A client that believes no answer which the document does not describe."""

    def __init__(self, app, *, client=HERE, base_url="http://127.0.0.1:8016", **options):
        super().__init__(app, client=client, base_url=base_url, raise_server_exceptions=False, **options)

    def request(self, method, url, **options):
        answer = super().request(method, url, **options)
        check(self.app, method, str(answer.request.url.path), answer)
        return answer


def door(desk, home, *, clock=time.monotonic, **settings):
    """A client on this machine of a service of its own, whose register is in ``home``."""
    return Door(create_app(desk, Settings(home=home, **settings), clock=clock))


def elsewhere(opened, client=ELSEWHERE, base_url="http://triage.office:8016"):
    """A client of the same service on another machine; to be used while ``opened`` is."""
    return Door(opened.app, client=client, base_url=base_url)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


def probed(client, clock, status):
    """The answer of the first probe with this status: while a look at the register takes long, the one before holds."""
    end = time.monotonic() + 120
    while (answer := client.get("/readyz")).json()["status"] != status:
        assert time.monotonic() < end, answer.text
        clock.now += 2
    assert answer.status_code == (200 if status in {"ready", "degraded"} else 503)
    return answer.json()


def key(home, name="热线系统", role="intake", database="", **options):
    """The header of a new key."""
    register = book.open_register(home, database)
    try:
        return {"Authorization": f"Bearer {keys.create(register, name, role, 'test', **options)[1]}"}
    finally:
        register.close()


def kind(answer):
    """The type of a problem, without what all types begin with."""
    return answer.json()["type"].rpartition(":")[2]


@cache
def _checker(document, status, path, method):
    described = json.loads(document)
    operation = next((calls for template, calls in described["paths"].items() if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)), {}).get(method)
    if operation is None:
        return None
    answer = operation["responses"].get(status)
    assert answer is not None, f"{method} {path}: {status} is not documented"
    content = answer.get("content", {})
    return {
        media: jsonschema_rs.validator_for({**part.get("schema", {}), "components": described["components"]}) for media, part in content.items()
    }, answer.get("headers", {})


def check(app, method, path, answer):
    """Fail unless the document describes this answer: its status, its content type, its body, and which headers it may have."""
    if not path.startswith("/v1"):
        return
    found = _checker(json.dumps(app.openapi()), str(answer.status_code), path, method.lower())
    if found is None:
        assert answer.status_code in {400, 401, 403, 404, 405, 429, 503}
        return
    bodies, headers = found
    media = answer.headers.get("content-type")
    assert media in bodies or (media is None and not bodies), f"{method} {path}: {media} is not documented for {answer.status_code}"
    if media and media.endswith("json"):
        bodies[media].validate(answer.json())
    assert {"retry-after", "ratelimit", "location", "etag", "idempotency-replayed", "www-authenticate"} & set(answer.headers) <= {
        name.lower() for name in headers
    }
