"""An archive on Spark in local mode beside the same archive on this machine's cores: the outputs are compared to the byte.

    MASTER='local[2,4]' python tests/bench/spark.py [--letters 4000] [--home FOLDER]

Needs Java and letter-triage[spark]. The letters are invented; the long note beside each makes the file worth two workers. Printed are the
letters per second of deciding, and the seconds of the whole command: Spark's start weighs heavily on so few letters.
"""

import argparse
import csv
import io
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from triage.archive import job
from triage.archive.plan import Order

SENTENCES = ["青石桥工地的包工头欠我们六个人四个月工资不给", "柳荫巷的自来水发黄三天了,请问什么时候能修好", "村里征地补偿款到现在还没有发到我们手里"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=4_000)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("TRIAGE_HOME", "office")))
    options = parser.parse_args()
    if shutil.which("java") is None:
        sys.exit("spark.py: no Java on this machine. Debian's default-jre-headless brings one.")
    with tempfile.TemporaryDirectory() as name:
        measure(options, Path(name))


def measure(options, folder):
    source = folder / "in.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        rows = ([f"{number:07}", f"{SENTENCES[number % 3]},第{number}次反映", "附" * 500] for number in range(options.letters))
        csv.writer(file).writerows([["编号", "内容", "备注"], *rows])
    for name, cluster in (("here", ""), ("spark", "spark")):
        began = time.perf_counter()
        order = Order((str(source),), folder / f"{name}.csv", jobs=2, cluster=cluster)
        summary = job.archive(options.home, order, lambda *_: None, stdin=io.BytesIO())
        print(f"{name}: {summary['letters_per_second']:,.0f} letters/s, {time.perf_counter() - began:.1f} s in all")
    same = (folder / "here.csv").read_bytes() == (folder / "spark.csv").read_bytes()
    print(f"the outputs are {'the same' if same else 'NOT THE SAME'}")


if __name__ == "__main__":
    main()
