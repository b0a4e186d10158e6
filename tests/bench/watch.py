"""Run a command and watch what it costs: wall time, and the most memory that all its processes held at once."""

import os
import subprocess
import threading
import time
from pathlib import Path


def run(command, **environment):
    """(standard output, seconds, GiB). The memory is proportional set size, in which shared pages count once, looked at five times a second."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | environment) as process:
        most, done = [0], threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, most, done))
        watcher.start()
        output, _ = process.communicate()
        done.set()
        watcher.join()
    if process.returncode not in {0, 3}:
        raise SystemExit(f"{' '.join(map(str, command))}: exit status {process.returncode}")
    return output, time.perf_counter() - start, most[0] / 1024**2


def _watch(root, most, done):
    while not done.wait(0.2):
        most[0] = max(most[0], sum(map(_memory, _family(root))))


def _family(root):
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has just ended
    family = {root}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _memory(process):
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
