"""Archives over HTTP: a file in, progress, a file out; what is being done survives the server, and another's name is never a path."""

import csv
import io
import os
import sys
import time

import pytest
from doors import Door
from registers import at_version

from api.app import create_app
from api.settings import Settings
from triage import taxonomy as taxonomies
from triage.archive import job, orders
from triage.archive.deciding import decide_rows
from triage.archive.plan import Order
from triage.desk import open_desk
from triage.register import migrate, schema

SENTENCES = ["青石桥工地的包工头欠我们六个人四个月工资不给", "柳荫巷的自来水发黄三天了,请问什么时候能修好", "村里征地补偿款到现在还没有发到我们手里"]
PATIENCE = 300  # seconds; an archive of these tests takes two


def letters(count, *bad):
    rows = [["编号", "内容"], *([f"{number:04}", f"{SENTENCES[number % 3]},第{number}次"] for number in range(count)), *bad]
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def client(office, segmenter):
    desk = open_desk(office, taxonomies.load(office), segmenter)
    with Door(create_app(desk, Settings(home=office, max_body=16_000))) as opened:
        yield opened
        for archive in opened.get("/v1/archives").json()["archives"]:
            opened.delete(f"/v1/archives/{archive['id']}")


@pytest.fixture
def queue(office):
    """Hand in a file without a server."""

    def queue(content, name="来信.csv", **options):
        asked = orders.asked_now(name, **options)
        folder = orders.upload(office)
        orders.letters_in(folder, asked.name).write_bytes(content)
        return orders.find(office, orders.hand_in(folder, asked))

    yield queue
    for name in orders.names(office):
        orders.delete(office, name)
    orders.run(office)


def until(true):
    """Wait for an event."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_file_is_handed_in_done_fetched_and_taken_away(client, office):
    answer = client.post("/v1/archives", params={"name": "来信 五月.csv", "form": "jsonl", "headers": "en"}, content=letters(3, ["few"]))
    assert answer.status_code == 202
    place = answer.headers["location"]
    assert answer.json()["name"] == "来信 五月.csv"
    until(lambda: client.get(place).json()["state"] in {"done", "failed"})
    found = client.get(place).json()
    assert (found["state"], found["letters"], found["share"], found["summary"]["refused"]) == ("done", 4, 1.0, 1)
    assert client.get("/v1/archives").json()["archives"] == [found]
    output = client.get(f"{place}/output")
    assert output.text.count('"category":') == 3
    assert "filename*=utf-8''%E6%9D%A5%E4%BF%A1%20%E4%BA%94%E6%9C%88.decisions.jsonl" in output.headers["content-disposition"]
    assert "bad-row" in client.get(f"{place}/refused").text
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404
    until(lambda: not list((office / orders.FOLDER).glob("[0-9a-f]*")))


def test_an_archive_goes_on_in_the_next_server_where_it_was_though_its_register_is_brought_up_to_date(queue, office, segmenter, tmp_path):
    at_version(office, "", "0001")
    content = letters(1_100)
    folder = queue(content)
    with pytest.raises(KeyboardInterrupt):
        orders.perform(office, folder, interrupted)
    assert (orders.state(folder)["state"], orders.state(folder)["letters"]) == ("running", 1_000)
    desk = open_desk(office, taxonomies.load(office), segmenter)
    with Door(create_app(desk, Settings(home=office))) as again:
        until(lambda: again.get(f"/v1/archives/{folder.name}").json()["state"] in {"done", "failed"})
        assert again.get(f"/v1/archives/{folder.name}").json()["summary"]["resumed"] == 1_000
        with again.app.state.door.register().reading() as connection:
            assert migrate.version(connection) == schema.VERSION
        fetched = again.get(f"/v1/archives/{folder.name}/output").content
    (tmp_path / "in.csv").write_bytes(content)
    job.archive(office, Order((str(tmp_path / "in.csv"),), tmp_path / "out.csv"), lambda *_: None, stdin=io.BytesIO())
    assert fetched == (tmp_path / "out.csv").read_bytes()


def interrupted(office, layout, rows):
    """Decides a first chunk; then the machine is switched off."""
    if any(cells[layout.text].endswith("第1050次") for _, cells, _ in rows):
        raise KeyboardInterrupt
    return decide_rows(office, layout, rows)


@pytest.mark.parametrize(
    ("refusal", "params", "content", "headers"),
    [
        ("400 empty-body", {"name": "a.csv"}, b"", {}),
        ("413 body-too-large", {"name": "a.csv"}, b"x" * 2_000_001, {}),
        ("413 body-too-large", {"name": "a.csv"}, iter([b"x" * 1_500_000] * 2), {}),
        ("415 unsupported-media-type", {"name": "a.csv"}, b"x", {"content-type": "multipart/form-data; boundary=x"}),
        ("415 unsupported-media-type", {"name": "a.csv"}, b"x", {"content-encoding": "gzip"}),
        ("422 invalid-request", {}, b"x", {}),
        ("422 invalid-request", {"name": "a.csv", "form": "doc"}, b"x", {}),
        ("422 invalid-request", {"name": "a" * 5_000}, b"x", {}),
        ("422 invalid-request", {"name": "a.csv", "colour": "red"}, b"x", {}),
    ],
)
def test_what_is_no_file_of_letters_is_refused_and_nothing_is_kept(client, office, refusal, params, content, headers):
    answer = client.post("/v1/archives", params=params, content=content, headers={"content-type": "application/octet-stream"} | headers)
    assert f"{answer.status_code} {answer.json()['type']}" == refusal.replace(" ", " urn:letter-triage:problem:")
    assert client.get("/v1/archives").json() == {"archives": []}
    assert not list((office / orders.FOLDER).glob(f"{orders.UPLOAD}*"))


@pytest.mark.parametrize("name", ["none", "0" * 32, "..", "%2e%2e%2fmodels", ".upload-0"])
def test_an_id_that_is_none_is_not_found(client, name):
    for answer in (client.get(f"/v1/archives/{name}"), client.get(f"/v1/archives/{name}/output"), client.delete(f"/v1/archives/{name}")):
        assert answer.status_code in {404, 405}


@pytest.mark.parametrize("name", [r"..\..\x.csv", "../../../x.csv", "/etc/x.csv", "来信\u202e\n.csv", "CON.csv", "x" * 900 + ".csv", "a\x7f.c/v"])
def test_a_file_name_is_shown_and_never_a_path(queue, office, name):
    before = sorted(path.name for path in office.parent.iterdir())
    folder = queue(letters(1), name)
    assert {path.name for path in folder.iterdir()} <= {"order.json", "letters.csv", "letters"}
    assert orders.state(folder)["name"].isprintable()
    assert sorted(path.name for path in office.parent.iterdir()) == before


def test_one_archive_is_done_at_a_time(queue, office):
    first, second = queue(letters(1)), queue(letters(1))
    with job.held(office / orders.FOLDER):
        orders.run(office)
        assert [orders.state(folder)["state"] for folder in (first, second)] == ["queued"] * 2
    orders.run(office)
    assert [orders.state(folder)["state"] for folder in (first, second)] == ["done"] * 2


def test_an_archive_that_is_being_done_can_be_taken_away(queue, office):
    folder = queue(letters(1))
    with job.held(office / orders.FOLDER):
        orders.delete(office, folder.name)
        assert orders.names(office) == []
    orders.run(office)
    assert not folder.exists()


def test_a_file_that_cannot_be_read_fails_with_the_reason_and_the_next_has_its_turn(client, queue, office):
    bad, good = queue(b"\x89PNG\r\n\x1a\n", "照片.csv"), queue(letters(1))
    orders.run(office)
    failed = client.get(f"/v1/archives/{bad.name}").json()
    assert (failed["state"], failed["problem"]["kind"]) == ("failed", "not-a-table")
    assert str(office) not in failed["problem"]["detail"]
    assert client.get(f"/v1/archives/{bad.name}/output").json()["type"] == "urn:letter-triage:problem:archive-not-done"
    assert orders.state(good)["state"] == "done"
    assert client.get(f"/v1/archives/{good.name}/refused").status_code == 404


def test_an_archive_that_ends_its_runner_again_and_again_is_given_up(queue, office):
    folder = queue(letters(1))
    (folder / orders.PROGRESS).write_text('{"letters": 0, "attempts": 3}', "utf-8")
    orders.run(office)
    assert orders.state(folder)["problem"]["kind"] == "archive-crashed"


@pytest.mark.skipif(sys.platform == "win32", reason="the system sets no limit on the size of a file")
def test_an_upload_for_which_the_disk_has_no_room_is_refused_and_leaves_nothing(client, office):
    import resource

    before, room = sorted(path.name for path in (office / orders.FOLDER).glob("*")), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, room[1]))
    try:
        answer = client.post("/v1/archives", params={"name": "来信.csv"}, content=letters(15_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, room)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (507, "storage")
    assert sorted(path.name for path in (office / orders.FOLDER).glob("*")) == before
    assert client.post("/v1/archives", params={"name": "来信.csv"}, content=letters(3)).status_code == 202


def test_an_upload_that_was_never_finished_is_swept_away_after_a_day(office):
    old, new = orders.upload(office), orders.upload(office)
    day = time.time() - 2 * orders.ABANDONED
    os.utime(old, (day, day))
    folder = orders.upload(office)
    (folder / "letters.csv").write_bytes(letters(1))
    name = orders.hand_in(folder, orders.asked_now("a.csv"))
    orders.run(office)
    assert (old.exists(), new.exists()) == (False, True)
    new.rmdir()
    orders.delete(office, name)
