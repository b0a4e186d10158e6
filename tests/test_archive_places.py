"""Archives from and to far places, and letters packed in a box: the output is there whole, or not at all."""

import csv
import io
import json
import secrets
import zipfile
from pathlib import Path

import fsspec
import pytest

from triage.archive import job
from triage.archive.plan import Order
from triage.errors import StorageError, UsageError

SENTENCES = ["青石桥工地的包工头欠我们六个人四个月工资不给", "柳荫巷的自来水发黄三天了,请问什么时候能修好", "村里征地补偿款到现在还没有发到我们手里"]


@pytest.fixture
def far():
    """An address in a store in memory."""
    address = f"memory://office-{secrets.token_hex(8)}"
    system, path = fsspec.core.url_to_fs(address)
    system.makedirs(path)
    yield address
    system.rm(path, recursive=True)


@pytest.fixture
def store(far):
    """That store, by names."""
    system, path = fsspec.core.url_to_fs(far)

    class Store:
        def names(self):
            return sorted(found.removeprefix(path).lstrip("/") for found in system.find(path))

        def read(self, name):
            return system.cat_file(f"{path}/{name}")

        def write(self, name, content):
            system.pipe_file(f"{path}/{name}", content)

    return Store()


@pytest.fixture
def send(home, tmp_path, far):
    """Run a job of an office whose models are those of ``home`` and whose output goes to the store."""
    office = tmp_path / "office"
    office.mkdir()
    (office / "models").symlink_to(home / "models")

    def send(source, output="decisions.csv", told=lambda *_: None, **options):
        order = job.far_order(office, Order((str(source),), Path("-"), **options), f"{far}/{output}")
        return job.archive(office, order, told, stdin=io.BytesIO())

    send.office = office
    return send


def table(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["编号", "内容"], *rows])
    return path


def letters(count):
    return [[f"{number:04}", f"{SENTENCES[number % 3]},第{number}次"] for number in range(count)]


def left(office):
    return [path.name for path in (office / job.OUTGOING).rglob("*")]


def interrupted(*_):
    raise KeyboardInterrupt


def test_an_output_goes_to_a_store_with_its_refused_rows_and_nothing_stays_behind(send, store, far, tmp_path):
    path = table(tmp_path / "in.csv", [*letters(3), ["few"]])
    summary = send(path)
    assert store.names() == ["decisions.csv", "decisions.refused.csv"]
    assert (summary["output"], summary["refused_file"]) == (f"{far}/decisions.csv", f"{far}/decisions.refused.csv")
    order = Order((str(path),), tmp_path / "here.csv")
    job.archive(send.office, order, lambda *_: None, stdin=io.BytesIO())
    assert store.read("decisions.csv") == (tmp_path / "here.csv").read_bytes()
    assert left(send.office) == []


def test_a_job_for_a_store_goes_on_after_a_kill_and_the_store_sees_nothing_before_it_is_whole(send, store, tmp_path):
    path = table(tmp_path / "in.csv", letters(1_100))
    with pytest.raises(KeyboardInterrupt):
        send(path, told=interrupted)
    assert store.names() == []
    assert send(path)["resumed"] == 1_000
    assert store.read("decisions.csv").count(b"\r\n") == 1_101


def test_what_is_in_the_store_is_replaced_only_when_that_is_asked_for(send, store, tmp_path):
    path = table(tmp_path / "in.csv", letters(2))
    store.write("decisions.csv", b"old")
    store.write("decisions.refused.csv", b"old")
    with pytest.raises(UsageError, match="is there already"):
        send(path)
    assert store.read("decisions.csv") == b"old"
    send(path, overwrite=True)
    assert store.names() == ["decisions.csv"]
    assert store.read("decisions.csv") != b"old"


def test_an_output_that_cannot_be_put_is_kept_and_put_by_the_next_run(send, store, tmp_path):
    path = table(tmp_path / "in.csv", letters(2))
    store.write("decisions.csv/in-the-way.txt", b"x")
    with pytest.raises(StorageError, match=r"cannot be put there .* The output is whole in .*decisions.csv") as caught:
        send(path, overwrite=True)
    assert caught.value.exit_status == 8
    assert "decisions.csv" in left(send.office)
    fsspec.filesystem("memory").rm(caught.value.args[0].partition(":/")[2].partition(":")[0], recursive=True)
    assert send(path)["letters"] == 2
    assert store.names() == ["decisions.csv"]
    assert left(send.office) == []


def test_the_command_takes_an_address_as_output(send, tmp_path, capfdbinary, monkeypatch):
    from api.cli import app

    monkeypatch.setenv("TRIAGE_HOME", str(send.office))
    path = table(tmp_path / "in.csv", letters(2))
    target = (tmp_path / "far.csv").as_uri()
    app(["archive", str(path), "-o", target, "-j", "1", "--json"], standalone_mode=False)
    assert json.loads(capfdbinary.readouterr().out)["output"] == target
    assert (tmp_path / "far.csv").exists()


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (["来信/甲.txt", "来信/乙.txt"], ["来信.zip/来信/乙.txt", "来信.zip/来信/甲.txt"]),
        (["甲.txt"], ["来信.zip/甲.txt"]),
    ],
)
def test_a_box_of_letters_is_named_like_a_folder(send, store, tmp_path, names, rows):
    with zipfile.ZipFile(tmp_path / "来信.zip", "w") as box:
        for name, sentence in zip(names, SENTENCES, strict=False):
            box.writestr(name, sentence)
    assert send(tmp_path / "来信.zip")["letters"] == len(names)
    found = csv.DictReader(store.read("decisions.csv").decode("utf-8-sig").splitlines())
    assert [row["文件"] for row in found] == rows


def test_a_box_of_one_table_is_that_table(send, tmp_path):
    with zipfile.ZipFile(tmp_path / "来信.zip", "w") as box:
        box.write(table(tmp_path / "in.csv", letters(3)), "来信.csv")
    assert send(tmp_path / "来信.zip")["letters"] == 3
