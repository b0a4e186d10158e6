"""A service that runs as `triage serve` does, and what a test wants to know of it. Nothing here counts on speed: it waits for what the log says."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from offices import TRACED, TRIAGE
from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 120.0  # seconds for anything: a shared machine may be slow


def until(true, what=""):
    """What ``true`` returns, once that is true of anything."""
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what or true}"
        time.sleep(0.02)
    return found


def alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Asked:
    """A service at an address of this machine."""

    def __init__(self, address):
        self.address = address
        self.place = ("127.0.0.1", int(address.rpartition(":")[2]))

    def call(self, path, body=None, **headers):
        """(status, headers, content) of one request."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, sent, {"Content-Type": "application/json"} | headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def classify(self, text, **headers):
        return self.call("/v1/classify", {"text": text}, **headers)

    def figure(self, name, **labels):
        """A figure of /metrics, summed over the series with these labels."""
        families = text_string_to_metric_families(self.call("/metrics")[2].decode())
        return sum(sample.value for family in families for sample in family.samples if sample.name == name and labels.items() <= sample.labels.items())

    def connection(self):
        return socket.create_connection(self.place, timeout=PATIENCE)

    def status(self, path):
        """With which status a call is answered, 0 while nobody listens."""
        with contextlib.suppress(OSError):
            return self.call(path)[0]
        return 0


class Served(Asked):
    """One running service, with its log."""

    def __init__(self, process, log):
        self.process, self.log = process, log
        super().__init__(self.told("ready")["address"].removesuffix("/docs"))

    def lines(self, event):
        return [line for line in map(json.loads, self.log.read_text("utf-8").splitlines()) if line["event"] == event]

    def told(self, event, **fields):
        """The last line of the log about an event, once there is one."""
        return until(lambda: [line for line in self.lines(event) if fields.items() <= line.items()], f"{event} {fields} in {self.log}")[-1]

    def workers(self):
        """The process that fills each place now."""
        return {line["worker"]: line["pid"] for line in self.lines("worker begun")}


@contextlib.contextmanager
def serving(home, log, *options, workers=2, traced=False, without=(), by=(), cwd=None, **more):
    """`triage serve` on a free port, its log in a file; stopped at the end if it still runs. Coverage follows it where it is ``traced``; ``by`` is what the command stands behind."""
    environment = {name: value for name, value in os.environ.items() if name not in without} | (TRACED if traced else {})
    command = [*by, TRIAGE, "serve", "--port", "0", "--workers", str(workers), *options]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stderr=errors, env=environment | {"TRIAGE_HOME": str(home)} | more, cwd=cwd, start_new_session=True)
    with process:
        try:
            yield Served(process, log)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=PATIENCE)
