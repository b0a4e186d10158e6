"""The service and the commands where little is as one would wish: full disks, another user, nothing that can be written, hardly a moment to run in."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from offices import TRIAGE
from served import PATIENCE, Asked, alive, free_port, until

LETTER = "包工头欠我们八个人四个月工资不给"
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
