"""The service and the commands where little is as one would wish: full disks, another user, nothing that can be written, hardly a moment to run in."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from offices import TRIAGE
from served import PATIENCE, Asked, Served, alive, free_port, serving, until

LETTER = "包工头欠我们八个人四个月工资不给"
ROOT = Path(__file__).parent.parent
FULL = Path("/dev/full")  # takes nothing: every write ends with "No space left on device"


def workers_of(parent):
    return {int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split() if alive(int(pid))}


def test_a_service_whose_log_is_on_a_full_disk_answers_counts_what_it_lost_and_ends_in_order(small_home):
    port = free_port()
    with FULL.open("wb") as full:
        command = [TRIAGE, "serve", "--port", str(port), "--workers", "1", "--log", "debug"]
        process = subprocess.Popen(command, stdout=full, stderr=full, env=os.environ | {"TRIAGE_HOME": str(small_home)}, start_new_session=True)
    with process:
        try:
            service = Asked(f"http://127.0.0.1:{port}")
            until(lambda: service.status("/readyz") == 200, "an answer without a log")
            assert [service.classify(LETTER)[0] for _ in range(3)] == [200] * 3
            until(lambda: service.figure("triage_lines_lost_total") >= 3)
            (worker,) = workers_of(process.pid)
            os.kill(worker, signal.SIGKILL)  # of which the parent would tell the log too
            until(lambda: workers_of(process.pid) not in (set(), {worker}) and service.status("/readyz") == 200)
            assert service.classify(LETTER)[0] == 200
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(("words", "status"), [(["--help"], 8), (["classify", "没有这封信.txt"], 4)], ids=["an answer", "an error"])
def test_a_command_that_can_write_nowhere_says_so_by_its_status(words, status):
    with FULL.open("wb") as full:
        assert subprocess.run([TRIAGE, *words], stdout=full, stderr=full, check=False).returncode == status


def test_an_answer_that_does_not_fit_on_the_disk_is_an_error_in_one_line():
    with FULL.open("wb") as full:
        done = subprocess.run([TRIAGE, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr.decode().partition(" (")[0]) == (8, "triage: standard output: cannot be written")
    assert done.stderr.count(b"\n") == 1


def open_to_all(folder):
    """Let every user come through to a folder of the tests' own."""
    while folder.stat().st_mode & 0o001 == 0:
        folder.chmod(folder.stat().st_mode | 0o111)
        folder = folder.parent


NOBODY = 54_321  # a user of no name and no home, as some containers give
HOMELESS = """
import os, pathlib, sys
import numba
from models.compiled import compiled, kept_in
import twice
os.setgroups([]); os.setgid(54321); os.setuid(54321)
function = compiled(twice.twice)
print(kept_in(function), os.listdir())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
def test_code_is_neither_kept_nor_looked_for_in_a_folder_named_tilde(tmp_path):
    """Where numba would look for a user without a home: anybody could leave code for us there."""
    work, code = tmp_path / "work", tmp_path / "code"
    work.mkdir()
    os.chown(work, NOBODY, NOBODY)
    code.mkdir()
    (code / "twice.py").write_text("def twice(number):\n    return 2 * number\n")
    open_to_all(tmp_path)
    environment = {name: value for name, value in os.environ.items() if name not in {"HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"}}
    environment["PYTHONPATH"] = f"{code}{os.pathsep}{ROOT}"
    done = subprocess.run([sys.executable, "-B", "-c", HOMELESS], cwd=work, env=environment, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "None []"


@pytest.fixture(scope="module")
def as_nobody():
    """How to run a command as a user without a name who may write nothing, and read everything if that is needed to run at all."""
    plain = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if os.geteuid() == 0 and shutil.which("setpriv"):
        for more in ([], ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]):
            if (
                subprocess.run(
                    [*plain, *more, sys.executable, "-c", "import api.cli, numba"],
                    env=os.environ | {"HOME": "/nowhere"},
                    capture_output=True,
                    check=False,
                    cwd=ROOT,
                ).returncode
                == 0
            ):
                return [*plain, *more]
    pytest.skip("only root can become a user without a name, and only if that user may read the program")


def with_code_of(home):
    """The office's folder, with what this machine has compiled already in a folder of it."""
    from numba.core.caching import _CacheLocator  # which alone knows the names

    from models import kernel, lookup
    from triage import marks, segment, tree

    for module in (kernel, lookup, marks, segment, tree):
        source = Path(module.__file__)
        shutil.copytree(source.parent / "__pycache__", home / "compiled" / _CacheLocator.get_suitable_cache_subpath(source), dirs_exist_ok=True)
    return home


def test_a_user_without_name_and_home_serves_from_the_office_alone(small_home, tmp_path, as_nobody):
    home = with_code_of(shutil.copytree(small_home, tmp_path / "office"))
    for path in [home, *home.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    open_to_all(tmp_path)
    poor = {"TMPDIR": "/nowhere", "NUMBA_CACHE_DIR": str(home / "compiled"), "XDG_CACHE_HOME": "", "PYTHONDONTWRITEBYTECODE": "1"}
    with serving(home, tmp_path / "log", workers=1, without={"HOME"}, by=as_nobody, cwd="/", **poor) as service:
        assert Path(f"/proc/{service.process.pid}").stat().st_uid == NOBODY
        status, _, content = service.call("/v1/letters", {"text": LETTER})
        assert (status, json.loads(content)["decision"]["category"]["code"]) == (201, "wages")
        assert service.lines("compiled code") == []
        service.process.terminate()
        assert service.process.wait(PATIENCE) == 0
    left = [path for folder in ("/tmp", "/var/tmp", "/dev/shm") for path in Path(folder).glob("*") if path.lstat().st_uid == NOBODY]
    assert left == []


def test_who_can_keep_no_compiled_code_is_told_so(small_home, tmp_path, as_nobody):
    done = subprocess.run(
        [*as_nobody, TRIAGE, "doctor"], cwd="/", env=os.environ | {"HOME": "/nowhere", "TRIAGE_HOME": str(tmp_path)}, capture_output=True, check=False
    )
    found = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert (found["compiled"]["state"], "NUMBA_CACHE_DIR" in found["compiled"]["says"]) == ("mind", True)


@pytest.fixture(scope="module")
def on_a_read_only_system():
    """How to run a command where nothing can be written but what lies in a folder, given as its first argument, and in what the system keeps in memory."""
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro / && for place in /tmp /var; do if mountpoint -q $place; then mount -o remount,bind,ro $place; fi; done && shift && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh"]
    if os.geteuid() == 0 and shutil.which("unshare") and subprocess.run([*command, "/mnt", "true"], capture_output=True, check=False).returncode == 0:
        return command
    pytest.skip("only root can make a system read-only for one command, and only where mounting is allowed")


def test_a_service_on_a_read_only_system_needs_its_office_alone(small_home, tmp_path, on_a_read_only_system):
    home = with_code_of(shutil.copytree(small_home, tmp_path / "office"))
    poor = {"NUMBA_CACHE_DIR": str(home / "compiled"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert subprocess.run([*on_a_read_only_system, home, "touch", tmp_path / "else"], capture_output=True, check=False).returncode != 0
    with serving(home, tmp_path / "log", workers=1, by=[*on_a_read_only_system, str(home)], cwd="/", **poor) as service:
        status, _, content = service.call("/v1/letters", {"text": LETTER})
        assert (status, json.loads(content)["decision"]["category"]["code"]) == (201, "wages")
        assert service.status("/readyz") == 200
        service.process.terminate()
        assert service.process.wait(PATIENCE) == 0


@contextlib.contextmanager
def a_tenth_of_the_time(group):
    """Let the processes of a group run for 10 of 100 milliseconds, as a quota of 0.1 CPU does."""
    over = threading.Event()

    def turns():
        with contextlib.suppress(ProcessLookupError):  # they have ended
            while not over.wait(0.09):
                os.killpg(group, signal.SIGCONT)
                over.wait(0.01)
                os.killpg(group, signal.SIGSTOP)
            os.killpg(group, signal.SIGCONT)

    thread = threading.Thread(target=turns)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_service_with_a_tenth_of_a_processor_says_that_it_starts_answers_and_loses_no_worker(small_home, tmp_path):
    port, log = free_port(), tmp_path / "log"
    command = [TRIAGE, "serve", "--port", str(port), "--workers", "1"]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stderr=errors, env=os.environ | {"TRIAGE_HOME": str(small_home)}, start_new_session=True)
    with process, a_tenth_of_the_time(process.pid):
        try:
            asked, answers = Asked(f"http://127.0.0.1:{port}"), []
            until(lambda: answers.append(asked.status("/readyz")) or answers[-1] == 200, "a slow service")
            assert 503 in answers
            service = Served(process, log)
            assert [service.classify(LETTER)[0] for _ in range(20)] == [200] * 20
            assert [line["worker"] for line in service.lines("worker begun")] == [0]
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
