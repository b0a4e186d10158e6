"""What one letter costs: CPU time through the Python call, loading, the command line's first answer.

    python tests/bench/one_letter.py [LETTERS.csv[.gz]] [--home FOLDER]

Beside it, in the same run, what a user would write instead: `jieba.lcut` inside scikit-learn's `TfidfVectorizer` with a linear SVM on
the same starter letters. Ratios count; the machine is noisy. LETTERS (columns title, body) may come from TRIAGE_REAL_LETTERS; without
it the starter letters are read.
"""

import argparse
import csv
import gzip
import logging
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from training.labelled import starter_letters
from training.train import ensure_model
from triage import taxonomy as taxonomies
from triage.desk import open_desk
from triage.letter import Letter
from triage.tokens import Segmenter


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [Letter(row["body"], title=row["title"]) for row in csv.DictReader(file)]


def cpu(decide, letters, batch):
    """Milliseconds of CPU a letter: median of five rounds."""
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for start in range(0, len(letters), batch):
            decide(letters[start : start + batch])
        rounds.append((time.process_time() - began) / len(letters) * 1_000)
    return statistics.median(rounds)


def script(labelled):
    """The script everyone writes."""
    import jieba
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    jieba.setLogLevel(logging.WARNING)
    model = make_pipeline(TfidfVectorizer(tokenizer=jieba.lcut, token_pattern=None, ngram_range=(1, 2), sublinear_tf=True), LinearSVC())
    model.fit([item.letter.text for item in labelled], [item.category for item in labelled])
    return lambda letters: model.predict([letter.text for letter in letters])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters", nargs="?", type=Path, default=os.environ.get("TRIAGE_REAL_LETTERS"))
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("TRIAGE_HOME", "office")))
    options = parser.parse_args()
    taxonomy, segmenter = taxonomies.load(options.home), Segmenter()
    labelled = starter_letters(taxonomy)
    ensure_model(options.home, taxonomy, segmenter, lambda *_: None)
    began = time.process_time()
    desk = open_desk(options.home, taxonomy, segmenter)
    print(f"open the desk (load and check {len(desk.stored.model.vocabulary)} features): {(time.process_time() - began) * 1_000:.0f} ms of CPU")
    letters = read(Path(options.letters)) if options.letters else [item.letter for item in labelled]
    letters = [letter for letter in letters if 350 <= len(letter.text) <= 450][:300]
    print(f"{len(letters)} letters of {statistics.mean(len(letter.text) for letter in letters):.0f} characters")
    desk.decide(letters[:20])
    ours = {batch: cpu(desk.decide, letters, batch) for batch in (1, 16, 256)}
    theirs = cpu(script(labelled), letters[:100], 1)
    for batch, cost in ours.items():
        print(f"decide, {batch:3d} at a time: {cost:.2f} ms of CPU a letter")
    print(f"jieba + scikit-learn, words only, 1 at a time, a label and nothing else: {theirs:.2f} ms; ours is {theirs / ours[1]:.1f} times as fast")
    command = [sys.executable, "-c", "from api.cli import main; main()"]
    for words in (["--help"], ["classify", "包工头欠我们四个月工资"]):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run([*command, *words], check=True, capture_output=True, env={**os.environ, "TRIAGE_HOME": str(options.home)})
            times.append(time.perf_counter() - began)
        print(f"triage {words[0]}: {statistics.median(times):.2f} s to the answer")


if __name__ == "__main__":
    main()
