"""The service under load, on this machine: how fast, what it does with too much, and whether a swap of models shows.

    python tests/bench/service.py speed [--seconds 10] [--workers 2]
    python tests/bench/service.py overload [--seconds 60] [--workers 1]
    python tests/bench/service.py swap [--changes 200] [--workers 2]

Needs `wrk` (Debian's package of that name) for `speed` and aiohttp for the others. Letters are our own starter letters, run together and cut to
400 characters. `speed` runs, in turns, the service and an empty FastAPI endpoint of the same shape on plain uvicorn with as many workers.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
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
for line in io.lines("%s") do bodies[#bodies + 1] = wrk.format("POST", "/v1/classify", {["Content-Type"] = "application/json"}, line) end
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
