"""A few of the calls that tests/bench/fuzz.py makes by the thousand."""

import fuzzing
import pytest
from doors import door, key

EXAMPLES = 3


@pytest.fixture(scope="module")
def service(desk, tmp_path_factory):
    """A client, a steward's key, and a letter that is there."""
    home = tmp_path_factory.mktemp("fuzzed")
    headers = key(home, "局办公室", "steward")
    with door(desk, home) as client:
        fuzzing.unlimited(client.app)
        yield client, headers, client.post("/v1/letters", json={"text": "小区停水三天了"}, headers=headers).json()["id"]


def test_every_operation_keeps_what_its_description_says(service):
    client, headers, letter = service
    seen = {operation.label: fuzzing.call(operation, headers, letter, EXAMPLES) for operation in fuzzing.operations(client.app)}
    assert len(seen) >= 11
    for label, statuses in seen.items():
        assert set(statuses) <= fuzzing.DOCUMENTED, label
        assert {200, 201, 202} & set(statuses) or "/{id}/" in label or "/{archive}" in label, label


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/letters"])
def test_hostile_texts_are_decided_and_what_is_no_body_is_refused(service, path):
    client, headers, _ = service
    assert fuzzing.texts(client, path, headers, 10)[0].total() > 0
    assert set(fuzzing.bodies(client, path, headers, 30)) <= {200, 201, 400, 413, 415, 422}
