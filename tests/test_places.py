"""Letters in an object store or on HDFS: they are brought here, read like others, and the output appears whole or not at all."""

import secrets
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from triage.archive import places
from triage.archive.documents import read_documents
from triage.errors import InputError, StorageError
from triage.tables import Row, read_table

ROOT = Path(__file__).parent.parent
LETTERS = "编号,内容\n001,路灯坏了三天\n"


@pytest.fixture(params=["memory", "file"])
def far(request, tmp_path):
    """An address under which files can be kept, on a file system in memory and on one of files."""
    address = f"memory://office-{secrets.token_hex(8)}" if request.param == "memory" else (tmp_path / "far").as_uri()
    system, path = fsspec.core.url_to_fs(address)
    system.makedirs(path)
    yield address
    system.rm(path, recursive=True)


@pytest.fixture
def job(tmp_path):
    (tmp_path / "job").mkdir()
    return tmp_path / "job"


def keep(address, text):
    with fsspec.open(address, "wb", auto_mkdir=True) as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def kept(address):
    with fsspec.open(address, "rb") as file:
        return file.read()


def names(address):
    system, path = fsspec.core.url_to_fs(address)
    return sorted(found.removeprefix(path).lstrip("/") for found in system.find(path))


def test_a_table_far_away_is_brought_here_read_and_taken_away_again(far, job):
    keep(f"{far}/来信.csv", LETTERS)
    with places.local(f"{far}/来信.csv", job) as path:
        assert path.is_relative_to(job)
        table = read_table(path)
        assert (table.where, list(table.rows)) == ("来信.csv", [Row(2, ("001", "路灯坏了三天"))])
    assert not list(job.iterdir())


def test_a_copy_has_the_time_of_its_original_so_that_a_run_can_go_on(far, job):
    keep(f"{far}/来信.csv", LETTERS)
    moments = set()
    for _ in range(2):
        with places.local(f"{far}/来信.csv", job) as path:
            moments.add(path.stat().st_mtime)
    assert len(moments) == 1


def test_a_folder_of_letters_far_away_is_brought_with_all_that_is_in_it(far, job):
    keep(f"{far}/来信/一.txt", "东湖路的路灯不亮")
    keep(f"{far}/来信/二月/二.txt", "楼下烧烤摊油烟很大")
    with places.local(f"{far}/来信", job) as path:
        assert [row.cells[::2] for row in read_documents([path]).rows] == [("一.txt", "东湖路的路灯不亮"), ("二月/二.txt", "楼下烧烤摊油烟很大")]


def test_two_files_of_one_name_do_not_meet(far, job):
    for month in ("一月", "二月"):
        keep(f"{far}/{month}/来信.csv", month)
    with places.local(f"{far}/一月/来信.csv", job) as first, places.local(f"{far}/二月/来信.csv", job) as second:
        assert [first.read_text("utf-8"), second.read_text("utf-8")] == ["一月", "二月"]


def test_what_a_broken_run_left_is_fetched_anew(far, job):
    keep(f"{far}/来信.csv", LETTERS)
    with places.local(f"{far}/来信.csv", job) as path:
        left = path
    left.parent.mkdir()
    left.write_text("编号,内", "utf-8")
    with places.local(f"{far}/来信.csv", job) as path:
        assert path.read_text("utf-8") == LETTERS


def test_a_path_of_this_machine_is_taken_as_it_is(tmp_path, job):
    with places.local(str(tmp_path / "来信.csv"), job) as path:
        assert path == tmp_path / "来信.csv"
    assert places.expanded("*.csv") == ["*.csv"]


def test_a_pattern_names_the_files_that_fit_it_in_order(far):
    for name in ("二.csv", "一.csv", "三.txt"):
        keep(f"{far}/{name}", LETTERS)
    found = places.expanded(f"{far}/*.csv")
    assert [kept(place).decode() for place in found] == [LETTERS, LETTERS]
    assert [place.rpartition("/")[2] for place in found] == ["一.csv", "二.csv"]
    assert places.expanded(f"{far}/一.csv") == [f"{far}/一.csv"]


def test_an_output_is_put_whole_over_what_stood_there(far, job):
    (job / "out.csv").write_text(LETTERS, "utf-8")
    keep(f"{far}/旧.csv", "旧")
    for name in ("旧.csv", "新.csv"):
        places.put(job / "out.csv", f"{far}/{name}")
        assert kept(f"{far}/{name}").decode() == LETTERS
    assert names(far) == ["新.csv", "旧.csv"]
    assert places.exists(f"{far}/新.csv")
    assert not places.exists(f"{far}/没有.csv")


def test_an_output_that_cannot_be_put_leaves_nothing_there_and_is_still_here(far, job):
    keep(f"{far}/文件夹/一.txt", "x")
    (job / "out.csv").write_text(LETTERS, "utf-8")
    with pytest.raises(StorageError, match=r"cannot be put there \(a folder\). The output is whole in .*out.csv") as caught:
        places.put(job / "out.csv", f"{far}/文件夹")
    assert caught.value.exit_status == 8
    with pytest.raises(StorageError):
        places.put(job / "没有.csv", f"{far}/新.csv")
    assert names(far) == ["文件夹/一.txt"]
    assert (job / "out.csv").exists()


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("memory://nobody/letters.csv", "file-not-read", "memory://nobody/letters.csv: it cannot be read (nothing is there)"),
        ("file:///nobody/letters.csv", "file-not-read", "nothing is there"),
        ("klingon://nobody/letters.csv", "file-not-read", "klingon://nobody/letters.csv: it cannot be read (no such address)"),
        ("oss://key:geheim@bucket/letters.csv?token=geheim", "not-installed", "oss://bucket/letters.csv: the driver of this place is not installed"),
        ("zip://x.csv::memory://a.zip", "file-not-read", "an address in an address"),
    ],
)
def test_a_place_that_cannot_be_read_is_refused_without_its_password(job, address, kind, said):
    with pytest.raises(InputError) as caught, places.local(address, job):
        pass
    assert caught.value.kind == kind
    assert said in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert not list(job.iterdir())


def test_no_name_in_an_object_store_becomes_a_path_outside_the_jobs_folder(job):
    store = f"memory://office-{secrets.token_hex(8)}"
    system, path = fsspec.core.url_to_fs(store)
    system.store[f"{path}/../../逃.txt"] = system.store.setdefault(f"{path}/一.txt", _object(system, f"{path}/一.txt"))
    with pytest.raises(InputError, match="a name in it leads out of the folder"), places.local(store, job):
        pass
    assert not list(job.parent.rglob("逃*"))
    for name in [name for name in system.store if name.startswith(path)]:
        del system.store[name]


def _object(system, path):
    system.pipe_file(path, b"x")
    return system.store[path]


def test_without_fsspec_the_extra_is_named():
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from triage.archive import places
try:
    places.exists("s3://office/letters.csv")
except places.InputError as error:
    print(error.kind, error)"""
    done = subprocess.run([sys.executable, "-S", "-P", "-c", code], capture_output=True, check=False, text=True)
    assert done.stdout.startswith("not-installed s3://office/letters.csv: this place needs fsspec")
    assert "pip install 'letter-triage[remote]'" in done.stdout
