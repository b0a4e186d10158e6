"""What bad calls must meet, by the numbers of the list that this service was built against.

Of that list not here: 17, 18, 20, 21, 30 and 41 (the server's life and load); 38 (request ids). Row 10: another character set is refused
also when it is declared. Row 34: a batch with one bad letter is refused whole and names it, since ``decisions`` holds decisions. Row 37: a
correction without ``If-Match`` is added, since it goes over nothing.
"""

import json
import socket
import threading

import pytest
import uvicorn
from doors import SECRET, door, kind

from api.app import create_app
from api.settings import Settings

LIMIT = 20_000
LETTER = {"id": "A-1", "text": "小区停水三天了"}
GOOD = json.dumps(LETTER).encode()
NAMED = json.dumps({"text": SECRET}, ensure_ascii=False)
BOUNDARY = b'--b\r\nContent-Disposition: form-data; name="f"; filename="..\\..\\' + b"x" * 5_000 + '\u202e"\r\n\r\nx\r\n--b--'.encode()


@pytest.fixture(scope="module")
def client(desk, tmp_path_factory):
    with door(desk, tmp_path_factory.mktemp("hardened"), max_body=LIMIT) as opened:
        yield opened


JSON = "application/json"
BODIES = [
    ("1 nothing", b"", JSON, 400, "empty-body"),
    ("1 blanks", b" \r\n\t", JSON, 400, "empty-body"),
    ("2 cut off", NAMED[:-2].encode(), JSON, 400, "invalid-json"),
    ("2 raw control character", b'{"text": "' + SECRET.encode() + b'\x01"}', JSON, 400, "invalid-json"),
    ("2 two bodies", GOOD + GOOD, JSON, 400, "invalid-json"),
    ("3 half a pair in a value", b'{"text": "\\ud800' + SECRET.encode() + b'"}', JSON, 400, "invalid-unicode"),
    ("3 half a pair in a name", b'{"\\udc00": "' + SECRET.encode() + b'"}', JSON, 400, "invalid-unicode"),
    ("3 half a pair as bytes", b'{"text": "\xed\xa0\x80"}', JSON, 400, "not-utf8"),
    ("4 NaN", b'{"text": NaN}', JSON, 400, "invalid-json"),
    ("4 Infinity deep inside", b'{"letters": [{"text": -Infinity}]}', JSON, 400, "invalid-json"),
    ("5 many lists", b"[" * 10_000, JSON, 400, "json-too-deep"),
    ("5 closed lists", b"[" * 1_100 + b"]" * 1_100, JSON, 400, "json-too-deep"),
    ("5 lists that one reader takes and the other does not", b"[" * 980 + b"]" * 980, JSON, 400, "json-too-deep"),
    ("5 many objects", b'{"a":' * 33 + b"1" + b"}" * 33, JSON, 400, "json-too-deep"),
    ("5 as many as are allowed", b"[" * 32 + b"]" * 32, JSON, 422, "object-expected"),
    ("6 many digits", b'{"text": ' + b"9" * 5_000 + b"}", JSON, 400, "number-out-of-range"),
    ("6 a large power", b'{"text": 1e999}', JSON, 400, "number-out-of-range"),
    ("7 a field twice", b'{"text": "a", "text": "' + SECRET.encode() + b'"}', JSON, 400, "duplicate-key"),
    ("7 a field twice, once written otherwise", b'{"text": "a", "te\\u0078t": "b"}', JSON, 400, "duplicate-key"),
    ("7 a field twice inside", b'{"letters": [{"text": "a", "id": "1", "id": "2"}]}', JSON, 400, "duplicate-key"),
    ("8 a list", json.dumps([SECRET]).encode(), JSON, 422, "object-expected"),
    ("8 null", b"null", JSON, 422, "object-expected"),
    ("8 a text", json.dumps(SECRET).encode(), JSON, 422, "object-expected"),
    ("9 an unknown field", b'{"txet": "x"}', JSON, 422, "unknown-field"),
    ("9 many unknown fields", json.dumps({f"field{number}": SECRET for number in range(100)}).encode(), JSON, 422, "unknown-field"),
    ("10 GB18030", NAMED.encode("gb18030"), JSON, 400, "not-utf8"),
    ("10 GB18030, declared", NAMED.encode("gb18030"), "application/json; charset=gb18030", 415, "unsupported-charset"),
    ("11 a byte order mark", b"\xef\xbb\xbf" + GOOD, "Application/JSON ; Charset=UTF-8", 200, ""),
    ("11 nothing but a mark", b"\xef\xbb\xbf", JSON, 400, "empty-body"),
    ("12 UTF-16", NAMED.encode("utf-16"), JSON, 415, "unsupported-charset"),
    ("12 UTF-16 without a mark", NAMED.encode("utf-16-le"), JSON, 415, "unsupported-charset"),
    ("12 UTF-32", NAMED.encode("utf-32-be"), JSON, 415, "unsupported-charset"),
    ("13 plain text", NAMED.encode(), "text/plain", 415, "unsupported-media-type"),
    ("13 nothing said", NAMED.encode(), "", 415, "unsupported-media-type"),
    ("13 a form", b"text=x", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
    ("39 parts", BOUNDARY, "multipart/form-data; boundary=b", 415, "unsupported-media-type"),
    ("39 many parts", b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n' * 300, "multipart/form-data; boundary=b", 415, "unsupported-media-type"),
    ("39 parts without a boundary", BOUNDARY, "multipart/form-data", 415, "unsupported-media-type"),
    ("15 a byte less than the limit", GOOD.ljust(LIMIT - 1), JSON, 200, ""),
    ("15 the limit", GOOD.ljust(LIMIT), JSON, 200, ""),
    ("15 a byte more than the limit", GOOD.ljust(LIMIT + 1), JSON, 413, "body-too-large"),
]


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/letters"])
@pytest.mark.parametrize(("content", "media", "status", "problem"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_a_body(client, path, content, media, status, problem):
    answer = client.post(path, content=content, headers={"content-type": media})
    assert (answer.status_code if answer.status_code != 201 else 200, kind(answer) if problem else "") == (status, problem)
    assert SECRET not in answer.text
    assert len(answer.content) < 2_000
    assert answer.headers.get("accept-post") == ("application/json" if status == 415 else None)


def test_15_and_2_say_where_and_which_setting(client):
    assert "TRIAGE_MAX_BODY" in client.post("/v1/classify", content=b" " * (LIMIT + 1), headers={"content-type": JSON}).json()["detail"]
    assert "line 2, column 3" in client.post("/v1/classify", content=b"{\n  x}", headers={"content-type": JSON}).json()["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
def test_14_a_packed_body_is_refused(client, encoding):
    answer = client.post("/v1/classify", content=GOOD, headers={"content-type": JSON, "content-encoding": encoding})
    assert (answer.status_code, kind(answer)) == (415, "unsupported-media-type")


def test_16_a_body_without_a_length_is_refused_once_it_is_too_large(client):
    taken = []

    def parts():
        for number in range(100):
            taken.append(number)
            yield b" " * 1_000

    answer = client.post("/v1/classify", content=parts(), headers={"content-type": JSON})
    assert (answer.status_code, kind(answer), answer.headers["connection"]) == (413, "body-too-large", "close")


METHODS = [
    ("/v1/classify", "GET", "POST"),
    ("/v1/letters", "DELETE", "GET, POST"),
    ("/v1/letters/00000000000000000000", "PUT", "GET"),
    ("/v1/letters/00000000000000000000/correction", "GET", "POST"),
    ("/v1/categories", "HEAD", "GET"),
    ("/v1/models", "OPTIONS", "GET"),
    ("/healthz", "POST", "GET"),
    ("/docs", "POST", "GET"),
]


@pytest.mark.parametrize(("path", "method", "allowed"), METHODS)
def test_22_another_method_is_told_which_there_are(client, path, method, allowed):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"], answer.headers["content-type"]) == (405, allowed, "application/problem+json")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/%ff",
        "//evil.example/x",
        "/v1/letters/",
        "/v1//letters",
        "/v1/letters/a/b",
        "/static/../../pyproject.toml",
        "/static/%2e%2e/app.py",
        "/V1/classify",
    ],
)
def test_23_an_unknown_address_is_not_reflected_and_leads_nowhere(client, path):
    answer = client.get(f"http://127.0.0.1:8016{path}", follow_redirects=False)
    assert (answer.status_code, kind(answer)) == (404, "not-found")
    assert "location" not in answer.headers
    assert path.strip("/") not in answer.text


def test_32_the_same_letter_twice_without_a_key_is_one(client):
    first, again = (client.post("/v1/letters", json=LETTER | {"id": "D-1"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"duplicate": True}


@pytest.mark.parametrize(("count", "status", "problem"), [(0, 422, "invalid-input"), (1, 200, ""), (1_000, 200, ""), (1_001, 413, "too-many-items")])
def test_33_a_batch_has_its_bounds(client, count, status, problem):
    answer = client.post("/v1/classify", json={"letters": [{"text": ""}] * count})
    assert (answer.status_code, kind(answer) if problem else len(answer.json()["decisions"])) == (status, problem or count)


def test_34_a_batch_with_a_bad_letter_names_it(client):
    answer = client.post("/v1/classify", json={"letters": [{"text": "a"}, {"text": "b"}, {"txet": SECRET}]})
    assert (answer.status_code, kind(answer)) == (422, "unknown-field")
    assert answer.json()["detail"].startswith('letters[2]: unknown field "txet" (nearest "text")')


@pytest.fixture(scope="module")
def server(desk, tmp_path_factory):
    """A real server on a port of its own; ``say`` sends bytes and returns all that comes back."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(desk, Settings(home=tmp_path_factory.mktemp("served"), max_body=LIMIT))
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", http="httptools", loop="asyncio", lifespan="on"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()

    def say(*parts):
        with socket.create_connection(listening.getsockname(), timeout=60) as connection:
            connection.sendall(b"".join(parts))
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    yield say
    running.should_exit = True
    thread.join(60)
    listening.close()


HEAD = b"POST /v1/classify HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
HOST = b"Host: 127.0.0.1\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(GOOD)
RAW = [
    ("as it should be", [HEAD, HOST, LENGTH, b"\r\n", GOOD], b"200"),
    ("19 no Host", [HEAD, LENGTH, b"\r\n", GOOD], b"400"),
    ("19 two Hosts", [HEAD, HOST, HOST, LENGTH, b"\r\n", GOOD], b"400"),
    ("19 a negative length", [HEAD, HOST, b"Content-Length: -1\r\n\r\n", GOOD], b"400"),
    ("19 two lengths", [HEAD, HOST, LENGTH, b"Content-Length: 3\r\n\r\n", GOOD], b"400"),
    ("24 a Host that is an address", [HEAD, b"Host: evil/admin\r\n", LENGTH, b"\r\n", GOOD], b"400"),
    ("24 an address that is another's", [HEAD.replace(b"/v1/", b"http://evil.example/v1/"), b"Host: evil.example\r\n", LENGTH, b"\r\n", GOOD], b"403"),
    ("16 a length that lies ahead", [HEAD, HOST, b"Content-Length: 99999999999999999999\r\n\r\n", GOOD], b"4"),
]


@pytest.mark.parametrize(("parts", "status"), [row[1:] for row in RAW], ids=[row[0] for row in RAW])
def test_a_request_as_bytes(server, parts, status):
    answer = server(*parts)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert answer.count(b"HTTP/1.1") == 1


def test_a_real_server_answers_a_program_of_this_machine_and_no_page_of_another_site(server):
    page = [b"GET /v1/categories HTTP/1.1\r\n", HOST, b"Origin: http://evil.example\r\nConnection: close\r\n\r\n"]
    assert server(*page).startswith(b"HTTP/1.1 403")
    assert server(b"GET /v1/categories HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
