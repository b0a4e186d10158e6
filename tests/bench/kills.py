"""kill -9 at random moments of train, promote and roll back: the live model always loads and answers as before or as after.

    python tests/bench/kills.py [--rounds 50]

Each round starts `triage train`, `triage models promote` or `triage models rollback` in an office with two versions and kills it with all
its processes after a random time. Letters are our own starter letters.
"""

import argparse
import csv
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from retraining import TRIAGE

from models import history, store
from training.labelled import starter_letters
from triage import taxonomy
from triage.desk import model_folder, open_desk
from triage.letter import Letter
from triage.tokens import Segmenter

ASKED = [Letter("包工头拖着我们五个月的工钱不给"), Letter("小区停水三天了没人管"), Letter("征地补偿款一直没有发到我们手里")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, found = random.Random(options.seed), Counter()
    known, segmenter = taxonomy.shipped(), Segmenter()
    with tempfile.TemporaryDirectory() as folder:
        home, file = Path(folder) / "office", Path(folder) / "letters.csv"
        environment = os.environ | {"TRIAGE_HOME": str(home)}
        with file.open("w", encoding="utf-8", newline="") as target:
            rows = csv.writer(target)
            rows.writerow(["正文", "类别"])
            rows.writerows((item.letter.text + "盼复。", item.category) for item in chance.sample(starter_letters(known), 600))

        def triage(*words):
            return json.loads(subprocess.run([TRIAGE, *map(str, words)], env=environment, capture_output=True, check=True).stdout)

        first, second = triage("init", "--json")["model"], triage("train", file, "--json")["version"]
        triage("models", "promote", second, "--force", "--why", "bench")
        said = {version: answers(home, version, known, segmenter) for version in (first, second)}
        for _ in range(options.rounds):
            live = store.current(model_folder(home))
            other = first if live == second else second
            name, words, longest = chance.choice(
                [
                    ("train", ["train", file], 30.0),
                    ("promote", ["models", "promote", other, "--force", "--why", "bench"], 1.5),
                    ("rollback", ["models", "rollback"], 1.5),
                ]
            )
            with subprocess.Popen(
                [TRIAGE, *map(str, words)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            ) as run:
                time.sleep(chance.uniform(0.0, longest))
                os.killpg(run.pid, signal.SIGKILL) if run.poll() is None else None
            now = store.current(model_folder(home))
            assert now in {first, second}, now
            assert now == history.read(model_folder(home))[-1].version
            desk = open_desk(home, known, segmenter)
            assert [decision.as_dict() for decision in desk.decide(ASKED)] == said[now]
            found[f"{name}, {'after' if now != live else 'before'}"] += 1
        for version in store.versions(model_folder(home)):
            store.load(model_folder(home), version)
        print(f"{options.rounds} kills, the live model answered as before or after each time: {dict(found)}")
        print(
            f"versions that are there, all whole: {len(store.versions(model_folder(home)))}; what `prune` removed: {triage('models', 'prune', '--keep', 1, '--json')}"
        )


def answers(home, version, known, segmenter):
    from triage.desk import Desk

    return [decision.as_dict() for decision in Desk(known, segmenter, store.load(model_folder(home), version)).decide(ASKED)]


if __name__ == "__main__":
    main()
