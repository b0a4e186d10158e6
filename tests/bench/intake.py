"""Nothing lost, nothing doubled: clients post letters, with retries, while the service is killed (-9) and started again.

    python tests/bench/intake.py [--letters 20000] [--clients 20] [--kills 30] [--database sqlite|postgresql] [--home FOLDER]

Every other time the whole family of processes is killed at once, as when the power goes; the other times the parent alone, whose workers have to
notice. A letter that was acknowledged must be registered once, with a decision that is complete; one that was not may be there once or not at all.
PostgreSQL is started from the binaries of the machine, with fsync, its register made as `triage register init` does, and not killed. Prints no letter's words.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue

from training.labelled import starter_letters
from triage import taxonomy
from triage.register import audit, book, schema

sys.path[:0] = [str(Path(__file__).parent.parent)]  # for what the tests share, imported late

PATIENCE = 120  # seconds for the service to come back


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def answers(port):
    with suppress(OSError, http.client.HTTPException):
        probe = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        probe.request("GET", "/readyz")
        return probe.getresponse().status == 200
    return False


class Service:
    """`triage serve` on one port, again and again."""

    def __init__(self, home, database, log):
        self._environment = {**os.environ, "TRIAGE_HOME": str(home), "TRIAGE_DATABASE": database}
        self._port, self._log = free_port(), log.open("ab")
        self.starts = []

    @property
    def port(self):
        return self._port

    def start(self):
        """Start, and wait until it is ready; a port that is still held is tried again."""
        from offices import TRIAGE

        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            command = [TRIAGE, "serve", "--port", str(self._port), "--log", "warning"]
            self.process = subprocess.Popen(command, env=self._environment, stderr=self._log, start_new_session=True)
            while self.process.poll() is None and time.monotonic() - began < PATIENCE:
                if answers(self._port):
                    self.starts.append(time.monotonic() - began)
                    return
                time.sleep(0.05)
        raise SystemExit("the service did not come back: see its log")

    def kill(self, *, family):
        if family:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def post(letters, port, acknowledged, seen, failed):
    """One client: each letter until it is acknowledged, with one Idempotency-Key of its own."""
    line = None
    while True:
        try:
            letter = letters.get_nowait()
        except Empty:
            return
        headers, body = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}, json.dumps(letter).encode()
        while letter["id"] not in acknowledged:
            try:
                line = line or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                line.request("POST", "/v1/letters", body, headers)
                answer = line.getresponse()
                told, status = answer.read(), answer.status
            except (OSError, http.client.HTTPException):
                seen["connection lost"] += 1
                line = None
                time.sleep(0.05)
                continue
            seen[status] += 1
            if status in {200, 201}:
                acknowledged[letter["id"]] = json.loads(told)["id"]
            elif status in {409, 503}:
                time.sleep(0.1)
            else:
                failed.append((status, json.loads(told).get("type")))
                return


def check(home, database, acknowledged, count):
    """Letters that are lost, doubled, or without a whole decision."""
    register = book.open_register(home, database)
    with register.engine.connect() as connection:
        rows = connection.execute(schema.LETTERS.select()).all()
        decided = connection.execute(schema.DECISIONS.select()).all()
        sound = audit.verify(connection)
    register.close()
    theirs = Counter(row.source_id for row in rows)
    ids = {row.source_id: row.id for row in rows}
    decisions = Counter(row.letter for row in decided)
    return {
        "registered": len(rows),
        "acknowledged": len(acknowledged),
        "never acknowledged": count - len(acknowledged),
        "lost": sum(ids.get(letter) != given for letter, given in acknowledged.items()),
        "doubled": sum(times > 1 for times in theirs.values()),
        "without its one decision": sum(decisions[row.id] != 1 for row in rows),
        "decisions that are not complete": sum(not _complete(row) for row in decided),
        "audit rows": sound.rows,
        "first bad row of the trail": sound.first_bad,
    }


def _complete(row):
    found = json.loads(row.content)
    return bool(row.model and row.taxonomy and found["reasons"] and ((found["category"] and found["lead"]) or found["needs_review"]))


@contextmanager
def register_at(kind):
    """What TRIAGE_DATABASE says of an empty register."""
    import databases

    if kind == "sqlite":
        yield ""
        return
    with databases.server(fsync=True) as server:
        yield server.emptied()


def main():
    from offices import made_ready

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--home", type=Path, help="an office with a model; it is copied")
    options = parser.parse_args()
    starter = starter_letters(taxonomy.shipped())
    letters = Queue()
    for number in range(options.letters):
        letters.put({"id": f"2026-{number:06}", "text": f"{starter[number % len(starter)].letter.body}\n来信编号{number}"})
    with tempfile.TemporaryDirectory() as folder, register_at(options.database) as database:
        home = Path(shutil.copytree(options.home, f"{folder}/office")) if options.home else made_ready(Path(folder) / "office")
        book.upgrade(home, database)  # PostgreSQL's is made by nobody else
        run(options, home, database, letters, Path(folder) / "log")


def run(options, home, database, letters, log):
    acknowledged, seen, failed, chance = {}, Counter(), [], random.Random(11)
    service = Service(home, database, log)
    service.start()
    clients = [threading.Thread(target=post, args=(letters, service.port, acknowledged, seen, failed)) for _ in range(options.clients)]
    began = time.monotonic()
    for client in clients:
        client.start()
    kills = 0
    while kills < options.kills and any(client.is_alive() for client in clients):
        goal = options.letters * (kills + chance.random()) / options.kills  # spread over the run, however fast it is
        while len(acknowledged) < goal and any(client.is_alive() for client in clients):
            time.sleep(0.01)
        service.kill(family=kills % 2 == 0)
        kills += 1
        service.start()
    for client in clients:
        client.join()
    took = time.monotonic() - began
    service.stop()
    print(f"{options.database}: {options.letters} letters, {options.clients} clients, {kills} kills, {took:.0f} s; answers {dict(seen)}")
    print(f"back after {sorted(service.starts)[len(service.starts) // 2]:.1f} s (median), {max(service.starts):.1f} s (longest)")
    print("; ".join(f"{name} {value}" for name, value in check(home, database, acknowledged, options.letters).items()))
    if failed:
        print(f"answered otherwise: {Counter(failed)}")


if __name__ == "__main__":
    main()
