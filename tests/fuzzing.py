"""Calls that nobody would think of: every operation as OpenAPI describes it, and against that; hostile texts; bodies that are none."""

import json
import time
from collections import Counter

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.limits import Limit

UNFORESEEN = ("GET /v1/letters", "POST /v1/letters", "POST /v1/letters/{id}/correction", "POST /v1/letters/{id}/return")
"""Calls with codes and days of the office, or keys that were used before: of these no schema knows whether they are right."""
KNOWN = {"category": "wages", "purpose": "申诉求决", "department": "人社局", "objector": "住建局", "forwarded_on": "2026-09-30", "returned_on": "2026-10-13"}
REFUSALS = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429]
DOCUMENTED = {200, 201, 202, 204, 503, *REFUSALS}

PIECES = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(categories=["Cc", "Cf", "Co", "Mn", "Zs"]), max_size=40),
    st.text(st.characters(min_codepoint=0x3400, max_codepoint=0x323AF), max_size=60),
    st.sampled_from(
        [
            "拆" * 3_000,
            "0" * 5_000,
            "a\u0301" * 500,
            "\u202e身份证\u2066",
            "鎷嗚縼琛ュ伩",
            "锟斤拷",
            "=cmd|'/c calc'!A1",
            "<script>{{7*7}}</script>",
            "'; DROP TABLE letters; --",
        ]
    ),
    st.sampled_from(
        [
            "１１０１０１１９９００３０７１２３４",
            "局 长 受 贿",
            "\u200b拆\u200b迁",
            "⼀⼆三",
            "𠮷野家",
            "\ufeff",
            "\x00",
            "\x1b[2J",
            "NaN",
            "\u2028",
            "包工头欠我们八个人四个月工资",
        ]
    ),
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(["text", "title", "body", "id", "channel", "received_at", "sender", "place", "letters", "txet"])
BODIES = st.one_of(
    st.binary(max_size=200),
    VALUES.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.dictionaries(FIELDS, VALUES, max_size=4).map(lambda value: json.dumps(value).encode()),
    st.text('{}[]":,\\ud8etx01', max_size=60).map(str.encode),
)


def quiet(examples):
    """So many examples, the same in every run, and no limit of time: a slow machine finds what a fast one does."""
    return settings(max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate])


def unlimited(app):
    """A service that counts no calls."""
    app.state.access.calls = app.state.access.wrong = Limit(10**12)
    return app


def operations(app):
    """Every call that the document describes."""
    config = SchemathesisConfig.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}})
    return [result.ok() for result in schemathesis.openapi.from_asgi("/openapi.json", app, config=config).get_all_operations()]


def call(operation, headers, letter, examples):
    """Call an operation with what its description allows and with what it does not, about a letter that is there; how often which status came back."""
    seen = Counter()
    asks = operation.body or operation.query or operation.path_parameters
    for mode in GenerationMode if asks else [GenerationMode.POSITIVE]:
        quiet(examples)(given(operation.as_strategy(generation_mode=mode))(_checked(headers, letter if mode is GenerationMode.POSITIVE else "", seen)))()
    return seen


def _checked(headers, letter, seen):
    def run(case):
        if letter and "id" in (case.path_parameters or {}):
            case.path_parameters = {"id": letter}
        for part in (case.body, case.query) if letter else ():
            if isinstance(part, dict):
                part.update({name: value for name, value in KNOWN.items() if part.get(name)})
        answer = case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance] if case.operation.label in UNFORESEEN else [])
        seen[answer.status_code] += 1

    return run


def texts(client, path, headers, examples):
    """Send hostile texts as letters; each is decided, whole. How often which status came back, and the slowest answer in seconds."""
    seen, slowest = Counter(), 0.0

    @quiet(examples)
    @given(
        st.fixed_dictionaries({"text": TEXTS}) | st.fixed_dictionaries({"title": TEXTS, "body": TEXTS}, optional={"sender": TEXTS.map(lambda text: text[:200])})
    )
    def run(letter):
        nonlocal slowest
        sent = json.dumps(letter, ensure_ascii=False).encode("utf-8", "replace")
        began = time.perf_counter()
        answer = client.post(path, content=sent, headers=headers | {"content-type": "application/json"})
        slowest = max(slowest, time.perf_counter() - began)
        seen[answer.status_code] += 1
        assert answer.status_code in {200, 201}, answer.text

    run()
    return seen, slowest


def bodies(client, path, headers, examples):
    """Send bodies of all kinds; each is answered, and none with a fault of the service."""
    seen = Counter()

    @quiet(examples)
    @given(BODIES)
    def run(body):
        answer = client.post(path, content=body, headers=headers | {"content-type": "application/json"})
        seen[answer.status_code] += 1
        assert answer.status_code in DOCUMENTED, answer.text
        assert answer.status_code < 500

    run()
    return seen
