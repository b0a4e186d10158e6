"""Nothing lost, nothing doubled: several processes at once, and processes killed at any moment."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from registers import count

from triage.register import audit

HERE = Path(__file__).parent
WRITE = """
import pathlib, sys
from registers import entry
from triage.register import book, entries
home, database, name, letters = sys.argv[1:]
register = book.open_register(pathlib.Path(home), database)
for number in range(int(letters)):
    made = entries.enter(register, [entry(f"第{number}封信", f"{name}-{number}")], name)[0]
    print(f"{name}-{number} {made.id}", flush=True)
"""


def write(home, database, name, letters):
    command = [sys.executable, "-c", WRITE, home, database, name, str(letters)]
    environment = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def sound(register):
    with register.reading() as connection:
        found = audit.verify(connection)
    return found.first_bad is None and found.rows == count(register, "letters") == count(register, "decisions")


def test_four_processes_of_three_hundred_transactions_lose_none(opened, tmp_path, database):
    register = opened()
    running = [write(tmp_path, database, f"p{number}", 300) for number in range(4)]
    done = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0] * 4, done
    assert count(register, "letters") == 1_200
    assert sound(register)


def test_whatever_was_acknowledged_before_a_kill_is_there_once(opened, tmp_path, database):
    register, moments = opened(), random.Random(1)
    acknowledged: dict[str, str] = {}
    told = 0
    for turn in range(3):
        running = [write(tmp_path, database, f"p{number}", 10_000) for number in range(2)]
        first = [process.stdout.readline() for process in running]
        time.sleep(moments.uniform(0.0, 0.5))
        for process in running:
            process.send_signal(signal.SIGKILL)
        for process, line in zip(running, first, strict=True):
            with process:  # its own buffer holds a part of what was written
                whole = (line + process.stdout.read()).decode().rpartition("\n")[0]
            for said in whole.splitlines():
                own, given = said.split()
                told += 1
                assert acknowledged.setdefault(own, given) == given, f"turn {turn}: doubled"
    with register.reading() as connection:
        stored = dict(connection.exec_driver_sql("SELECT source_id, id FROM letters").all())
    assert acknowledged.items() <= stored.items()
    assert told >= 6  # each process of each turn said at least its first; after a restart it sends the same letters again
    assert count(register, "letters") == len(stored)
    assert sound(register)
