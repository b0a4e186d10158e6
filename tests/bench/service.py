"""The service under load, on this machine: how fast, what it does with too much, and whether a swap of models shows.

    python tests/bench/service.py speed [--seconds 10] [--workers 2]
    python tests/bench/service.py overload [--seconds 60] [--workers 1]
    python tests/bench/service.py swap [--changes 200] [--workers 2]

Needs `wrk` (Debian's package of that name) for `speed` and aiohttp for the others. Letters are our own starter letters, run together and cut to
400 characters. `speed` runs, in turns, the service and an empty FastAPI endpoint of the same shape on plain uvicorn with as many workers.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

CLIENTS = (1, 16, 64)
LENGTH = 400


def empty_app():
    """What is compared with: reads a letter, checks it, and answers one fixed decision, as FastAPI does it."""
    from fastapi import FastAPI

    from api.schemas import DecisionOut, LetterIn

    decision = DecisionOut.model_validate_json(os.environ["BENCH_DECISION"])
    app = FastAPI()

    @app.post("/v1/classify")
    async def classify(letter: LetterIn) -> DecisionOut:
        return decision

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def bodies(count=200):
    from training.labelled import starter_letters
    from triage import taxonomy

    texts = "\n".join(item.letter.body for item in starter_letters(taxonomy.shipped())[::7])
    return [json.dumps({"text": texts[begin : begin + LENGTH]}, ensure_ascii=False) for begin in range(0, count * LENGTH, LENGTH)]


SCRIPT = """
local bodies = {}
for line in io.lines("%s") do bodies[#bodies + 1] = wrk.format("POST", "/v1/classify", {["Content-Type"] = "application/json", ["Host"] = "127.0.0.1"}, line) end
local at = 0
request = function() at = at %% #bodies + 1; return bodies[at] end
"""


def wrk(address, script, clients, seconds):
    """Requests a second, and the seconds of half and of 99 of 100 requests."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", str(script), address]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told:
        print(told)
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
    times = [float(value) * units[unit] for value, unit in re.findall(r"(?:50|99)%\s+([\d.]+)(us|ms|s)", told)]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]), *times


@contextlib.contextmanager
def empty(workers, decision):
    with contextlib.closing(__import__("socket").create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "service:empty_app", "--factory", "--app-dir", str(Path(__file__).parent), "--port", str(port)]
    command += ["--workers", str(workers), "--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen(command, env=os.environ | {"BENCH_DECISION": decision})
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").close()
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def office(folder):
    from offices import triage

    home = Path(os.environ.get("TRIAGE_HOME", folder / "office"))
    triage("init", home=home)
    return home


def speed(options, folder):
    from served import serving

    lines, script = bodies(), folder / "wrk.lua"
    (folder / "bodies").write_text("\n".join(lines), "utf-8")
    script.write_text(SCRIPT % (folder / "bodies"))
    with serving(office(folder), folder / "log", workers=options.workers) as ours:
        decision = ours.call("/v1/classify", lines[0].encode())[2].decode()
        with empty(options.workers, decision) as theirs:
            for address in (ours.address, theirs):
                wrk(address, script, 16, 2)
            for clients in CLIENTS:
                rounds = [[wrk(address, script, clients, options.seconds) for address in (ours.address, theirs)] for _ in range(options.rounds)]
                show(clients, rounds)
        batch(ours, lines, options)


def show(clients, rounds):
    for number, name in enumerate(("classify", "empty FastAPI endpoint")):
        rate, half, most = (statistics.median(column) for column in zip(*(each[number] for each in rounds), strict=True))
        print(f"{clients:3d} clients, {name:24s} {rate:7.0f} requests/s, p50 {half * 1e3:.1f} ms, p99 {most * 1e3:.1f} ms")
    ratios = [each[0][0] / each[1][0] for each in rounds]
    print(f"{clients:3d} clients, ratio of requests a second: {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})", flush=True)


def batch(ours, lines, options):
    """A call with 100 letters against the Python call with the same, in turns, one at a time."""
    from triage.desk import open_desk
    from triage.letter import Letter
    from triage.taxonomy import load
    from triage.tokens import Segmenter

    home = Path(os.environ.get("TRIAGE_HOME", ours.log.parent / "office"))
    desk, hundred = open_desk(home, load(home), Segmenter()), [json.loads(line) for line in lines[:100]]
    letters, body = [Letter(one["text"]) for one in hundred], json.dumps({"letters": hundred}, ensure_ascii=False).encode()
    took = []
    for _ in range(20 * options.rounds):
        began = time.perf_counter()
        desk.decide(letters)
        between = time.perf_counter()
        ours.call("/v1/classify", body)
        took.append((between - began, time.perf_counter() - between))
    python, http = (statistics.median(column) for column in zip(*took[5:], strict=True))
    print(f"100 letters: Python {100 / python:.0f} letters/s, HTTP {100 / http:.0f} letters/s, ratio {python / http:.2f}")


async def post(session, address, body, found):
    """One request: its status, how long it took, and which model answered."""
    began = time.perf_counter()
    try:
        async with session.post(f"{address}/v1/classify", data=body, headers={"Content-Type": "application/json"}) as answer:
            content = await answer.read()
            model = json.loads(content)["model"] if answer.status == 200 else ""
            found.append((answer.status, time.perf_counter() - began, model, answer.headers.get("Retry-After")))
    except OSError as error:
        found.append((type(error).__name__, time.perf_counter() - began, "", None))


async def offered(address, lines, rate, seconds, found):
    """So many requests a second whatever becomes of them; a client does not wait for its answer to ask again.

    At most 512 at once: what comes while all wait is not sent and stands in the count alone, as the wait for a connection is not the service's.
    """
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=512), timeout=aiohttp.ClientTimeout(60)) as session:
        began, tasks, sent = time.perf_counter(), set(), 0
        while (now := time.perf_counter() - began) < seconds:
            while sent < now * rate:
                if len(tasks) >= 512:
                    found.append(("not sent", 0.0, "", None))
                    sent += 1
                    continue
                task = asyncio.create_task(post(session, address, lines[sent % len(lines)], found))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                sent += 1
            await asyncio.sleep(0.005)
        await asyncio.gather(*tasks)


def told(name, found, seconds):
    accepted = sorted(took for status, took, *_ in found if status == 200)
    refused = sorted(took for status, took, *_ in found if status == 503)
    others = Counter(status for status, *_ in found if status not in {200, 503})
    line = f"{name}: offered {len(found) / seconds:.0f}/s, answered {len(accepted) / seconds:.0f}/s"
    if accepted:
        line += f", p50 {accepted[len(accepted) // 2] * 1e3:.0f} ms, p99 {accepted[len(accepted) * 99 // 100] * 1e3:.0f} ms"
    if refused:
        line += f"; refused {len(refused)}, p50 {refused[len(refused) // 2] * 1e3:.0f} ms, p99 {refused[len(refused) * 99 // 100] * 1e3:.0f} ms"
    print(f"{line}; else {dict(others)}", flush=True)


def resident(pids):
    return sum(int(re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1]) for pid in pids) / 1e3


def overload(options, folder):
    from served import serving

    lines, script = [line.encode() for line in bodies()], folder / "wrk.lua"
    (folder / "bodies").write_text("\n".join(bodies()), "utf-8")
    script.write_text(SCRIPT % (folder / "bodies"))
    with serving(office(folder), folder / "log", workers=options.workers) as ours:
        pids = list(ours.workers().values())
        wrk(ours.address, script, 16, 2)
        rate = wrk(ours.address, script, 16, options.seconds // 6 + 2)[0]
        print(f"{options.workers} workers, sustainable: {rate:.0f} requests/s; resident {resident(pids):.0f} MB")
        for name, share, seconds in (
            ("half of it", 0.5, options.seconds // 4 + 1),
            ("four times", 4, options.seconds),
            ("half again", 0.5, options.seconds // 4 + 1),
        ):
            found, before = [], len(ours.lines("request"))
            asyncio.run(offered(ours.address, lines, share * rate, seconds, found))
            told(name, found, seconds)
            inside = sorted(line["ms"] for line in ours.lines("request")[before:] if line["status"] == 200 and line["method"] == "POST")
            print(f"    by the service's own log: p50 {inside[len(inside) // 2]:.0f} ms, p99 {inside[len(inside) * 99 // 100]:.0f} ms")
            print(f"    resident {resident(pids):.0f} MB; 503 without Retry-After: {sum(status == 503 and not again for status, _, _, again in found)}")
        assert pids == list(ours.workers().values()), "a worker died"
        assert ours.figure("triage_requests_in_work") == 0


async def clients(address, lines, stop, found):
    import aiohttp

    async def client(session):
        number = 0
        while not stop.is_set():
            number += 1
            await post(session, address, lines[number % len(lines)], found)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        await asyncio.gather(*(client(session) for _ in range(8)))


def swap(options, folder):
    """Promotions and roll-backs under the load of eight clients, each as soon as all workers have taken over the one before."""
    from offices import keep
    from served import serving, until

    from models import store
    from models.disk import locked
    from training.promote import Asked, promote, rollback
    from triage.desk import model_folder
    from triage.taxonomy import load
    from triage.tokens import Segmenter

    home = Path(shutil.copytree(office(folder), folder / "own"))
    known, segmenter, models = load(home), Segmenter(), model_folder(home)
    first = store.current(models)
    stored = store.load(models, first)
    second = keep(home, "second", stored.model, segmenter, [])
    card = store.card(models, first)
    (models / second / store.CARD).write_bytes(store.sealed(store.card(models, second) | {"golden": card["golden"]}))
    lines, found, stop, took = [line.encode() for line in bodies()], [], threading.Event(), []
    with serving(home, folder / "log", workers=options.workers) as ours:
        load_thread = threading.Thread(target=lambda: asyncio.run(clients(ours.address, lines, stop, found)))
        load_thread.start()
        for number in range(options.changes):
            if number % 2:
                rollback(home, known, segmenter, Asked("bench"))
            else:
                promote(home, second, known, segmenter, Asked("bench", "bench", force=True))
            began, version = time.perf_counter(), store.current(models)
            until(lambda version=version: ours.figure("triage_model_info", version=version) == options.workers)
            took.append(time.perf_counter() - began)
        stop.set()
        load_thread.join()
    took.sort()
    print(f"{options.changes} changes, {options.workers} workers: taken over by all after {took[len(took) // 2]:.2f} s (median), {took[-1]:.2f} s (longest)")
    told("load", found, 1)
    print(f"answers by model: {dict(Counter(model for status, _, model, _ in found if status == 200))}")
    with locked(models):
        assert set(Counter(model for status, _, model, _ in found)) <= {first, second}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["speed", "overload", "swap"])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--changes", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        globals()[options.part](options, Path(folder))


if __name__ == "__main__":
    main()
