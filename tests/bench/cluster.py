"""An archive on this machine's cores beside the same archive on Dask and on Spark in local mode: letters per second, and the outputs to the byte.

    MASTER='local[2,4]' python tests/bench/cluster.py LETTERS.csv[.gz] [--letters 20000] [--home FOLDER]

LETTERS (columns id, title, body; also from TRIAGE_REAL_LETTERS) are repeated up to the number asked for. A file goes in as one, so both
workers read all of it; and again in ten pieces. Spark needs Java and letter-triage[spark], and is left out where they are missing.
The rate is that of deciding alone; beside it stands the whole time, in which the start of an engine weighs heavily on few letters.
"""

import argparse
import csv
import io
import os
import shutil
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from archive import repeated
from distributed import LocalCluster

from triage.archive import job
from triage.archive.plan import Order


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters_file", nargs="?", type=Path, default=os.environ.get("TRIAGE_REAL_LETTERS"), metavar="LETTERS")
    parser.add_argument("--letters", type=int, default=20_000)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("TRIAGE_HOME", "office")))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repeated(Path(options.letters_file), options.letters, folder / "all.csv")
        pieces = cut(folder / "all.csv", folder, options.letters // 10)
        run = {"one file": [folder / "all.csv"], "ten files": pieces}
        for kind, inputs in run.items():
            compare(kind, [str(path) for path in inputs], folder, options.home)


def cut(source, folder, rows):
    with source.open(encoding="utf-8", newline="") as file:
        header, *letters = csv.reader(file)
    paths = [folder / f"piece-{number}.csv" for number in range(10)]
    for number, path in enumerate(paths):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *letters[number * rows : (number + 1) * rows]])
    return paths


def compare(kind, inputs, folder, home):
    wanted = timed(f"{kind}, two processes here", inputs, folder / "here.csv", home, "")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as running:
        check(wanted, timed(f"{kind}, Dask, two workers", inputs, folder / "dask.csv", home, f"dask:{running.scheduler_address}"))
    if shutil.which("java") and find_spec("joblibspark"):
        check(wanted, timed(f"{kind}, Spark", inputs, folder / "spark.csv", home, "spark"))
    else:
        print("no Java, or no joblibspark: Spark left out")


def timed(name, inputs, target, home, cluster):
    began = time.perf_counter()
    order = Order(tuple(inputs), target, jobs=2, cluster=cluster, overwrite=True)
    summary = job.archive(home, order, lambda *_: None, stdin=io.BytesIO())
    whole = time.perf_counter() - began
    print(
        f"{name}: {summary['letters_per_second']:,.0f} letters/s, {whole:.1f} s in all, {target.stat().st_size / summary['letters']:,.0f} bytes a letter",
        flush=True,
    )
    return target.read_bytes()


def check(wanted, found):
    print(f"  the output is {'the same to the byte' if found == wanted else 'NOT THE SAME'}", flush=True)


if __name__ == "__main__":
    main()
