"""Archives past one machine: a real Dask scheduler and two workers; the output is that of this machine alone, to the byte."""

import csv
import io
import os
from functools import partial
from pathlib import Path

import pytest

from triage.archive import cluster, job
from triage.archive.deciding import decide_rows
from triage.archive.plan import Order
from triage.errors import InputError, UsageError

SENTENCES = ["青石桥工地的包工头欠我们六个人四个月工资不给", "柳荫巷的自来水发黄三天了,请问什么时候能修好", "村里征地补偿款到现在还没有发到我们手里"]


@pytest.fixture(scope="module")
def dask():
    """The address of a scheduler with two workers, which come back when they die."""
    distributed = pytest.importorskip("distributed", reason="no Dask on this machine: pip install 'letter-triage[dask]' brings it")
    patient = {"distributed.comm.timeouts.connect": "300s", "distributed.comm.timeouts.tcp": "300s"}  # a busy machine is no lost one
    with (
        pytest.importorskip("dask").config.set(patient),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, worker_dashboard_address=None, silence_logs=50) as running,
    ):
        yield f"dask:{running.scheduler_address}"


@pytest.fixture
def go(small_home, tmp_path):
    def go(*inputs, output="out.csv", told=lambda *_: None, decide=decide_rows, **options):
        order = Order(tuple(map(str, inputs)), tmp_path / output, **options)
        return job.archive(small_home, order, told, stdin=io.BytesIO(), decide=decide)

    return go


def table(path, count, *bad):
    """Letters with a note of a book's length each: 70 fill a chunk, and a file of 200 is worth two workers."""
    rows = [[f"{number:05}", f"{SENTENCES[number % 3]},第{number}次反映", "附" * 30_000] for number in range(count)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["编号", "内容", "备注"], *rows, *bad])
    return path


def outcome(summary, tmp_path):
    """What must not depend on where the work was done."""
    same = {key: summary[key] for key in ("letters", "review", "refused", "duplicate_ids", "domains", "departments", "notes")}
    output = Path(summary["output"])
    refused = output.with_name(f"{output.stem}.refused.csv")
    return same, output.read_bytes(), refused.exists() and refused.read_bytes()


def test_several_sources_are_decided_by_the_workers_as_by_this_machine(go, dask, tmp_path):
    inputs = [table(tmp_path / "a.csv", 75, ["few"]), table(tmp_path / "b.csv", 3)]
    here, there = go(*inputs, output="here.csv"), go(*inputs, output="there.csv", cluster=dask)
    assert outcome(there, tmp_path) == outcome(here, tmp_path)
    assert not list(tmp_path.glob(".*.job"))


def test_one_source_is_shared_out_and_each_worker_reads_it_for_itself(go, dask, tmp_path):
    path = table(tmp_path / "in.csv", 200)
    go(path, output="here.jsonl")
    go(path, output="there.jsonl", cluster=dask, decide=partial(tells_where, tmp_path))
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    workers = [place.name for place in tmp_path.glob("worker-*")]
    assert len(workers) == 2
    assert f"worker-{os.getpid()}" not in workers


def test_a_worker_killed_in_mid_run_is_survived(go, dask, tmp_path):
    path = table(tmp_path / "in.csv", 205)
    here, there = go(path, output="here.csv"), go(path, output="there.csv", cluster=dask, decide=partial(ends_once, tmp_path))
    assert (tmp_path / "ended").exists()
    assert outcome(there, tmp_path) == outcome(here, tmp_path)


def test_a_job_begun_on_one_machine_goes_on_on_a_cluster(go, dask, tmp_path):
    path = table(tmp_path / "in.csv", 80)
    go(path, output="whole.csv")
    with pytest.raises(KeyboardInterrupt):
        go(path, told=interrupted)
    assert go(path, cluster=dask)["resumed"] == 70
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_what_a_worker_refuses_is_refused(go, dask, tmp_path):
    (tmp_path / "in.csv").write_bytes("编号,内容\n".encode() + b"\xff\xfe\xff" * 30)
    with pytest.raises(InputError) as caught:
        go(tmp_path / "in.csv", cluster=dask)
    assert caught.value.kind == "unknown-encoding"
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("klingon", '"klingon" is no cluster. dask:tcp://HOST:PORT'),
        ("dask:klingon://x:1", "dask:klingon://x:1 does not answer"),
    ],
)
def test_a_cluster_that_is_none_is_refused(go, tmp_path, name, said):
    with pytest.raises(UsageError, match=said):
        go(table(tmp_path / "in.csv", 3), cluster=name)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_worker_of_another_release_or_without_the_folder_is_not_used(tmp_path):
    assert cluster.ready(tmp_path, cluster.RELEASE) == ""
    assert "another release" in cluster.ready(tmp_path, cluster.RELEASE | {"format": 0})
    assert "cannot write in" in cluster.ready(tmp_path / "none", cluster.RELEASE)


def interrupted(*_):
    raise KeyboardInterrupt


def tells_where(folder, office, layout, rows):
    (folder / f"worker-{os.getpid()}").touch()
    return decide_rows(office, layout, rows)


def ends_once(folder, office, layout, rows):
    """The first worker that meets a certain letter is gone, as if its machine had been switched off."""
    if any("第204次" in cells[layout.text] for _, cells, _ in rows) and not (folder / "ended").exists():
        (folder / "ended").touch()
        os._exit(9)
    return decide_rows(office, layout, rows)
