"""What training costs, by the number of letters: time and memory of `triage train` through the command line.

    python tests/bench/training_size.py LETTERS.csv[.gz] [--text COLUMN] [--label COLUMN] [--sizes 3000 10000 30000 100000]

The path may also come from TRIAGE_REAL_LETTERS. Larger sizes repeat the file with noise: of every repeated letter, a third of the
characters are swapped for others of the file, so that it is no near-duplicate of its model. Beside it, scikit-learn with the same kinds of
features (word 1-2-grams, character 1-3-grams, linear SVM with five-fold calibration) at the sizes given by --beside.
"""

import argparse
import csv
import json
import os
import random
import sys
import tempfile
from pathlib import Path

from retraining import TRIAGE, read
from watch import run

PLAIN = """
import sys, pandas, jieba, logging
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC
jieba.setLogLevel(logging.ERROR)
rows = pandas.read_csv(sys.argv[1], dtype=str, keep_default_na=False)
words = TfidfVectorizer(analyzer="word", tokenizer=jieba.lcut, token_pattern=None, ngram_range=(1, 2), sublinear_tf=True, min_df=2)
characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=3)
make_pipeline(make_union(words, characters), CalibratedClassifierCV(LinearSVC(C=0.5), cv=5)).fit(rows[sys.argv[2]], rows[sys.argv[3]])
"""


def noisy(text, characters, chance):
    letters = list(text)
    for at in chance.sample(range(len(letters)), len(letters) // 3):
        letters[at] = chance.choice(characters)
    return "".join(letters)


def write(path, rows, size, options, chance):
    """``size`` rows: the file shuffled, then repeats of it with noise."""
    characters = "".join(row[options.text] for row in rows[:500])
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([options.text, options.label])
        for number in range(size):
            row = rows[number % len(rows)]
            text = row[options.text] if number < len(rows) else noisy(row[options.text], characters, chance)
            table.writerow([text, row[options.label]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters", nargs="?", type=Path, default=os.environ.get("TRIAGE_REAL_LETTERS"))
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3_000, 10_000, 30_000, 100_000])
    parser.add_argument("--beside", type=int, nargs="*", default=[3_000, 10_000])
    options = parser.parse_args()
    if options.letters is None:
        sys.exit("no letters: name a file, or set TRIAGE_REAL_LETTERS")
    chance = random.Random(0)
    rows = read(Path(options.letters))
    chance.shuffle(rows)
    print("letters   seconds   GiB, all processes   features   accuracy held out")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "letters.csv"
            write(file, rows, size, options, chance)
            home = {"TRIAGE_HOME": str(Path(folder) / "office")}
            printed, seconds, memory = run([TRIAGE, "train", file, "--text", options.text, "--label", options.label, "--json"], **home)
            made = json.loads(printed)
            card = json.loads((Path(folder) / "office" / "models" / made["version"] / "card.json").read_text("utf-8"))
            print(f"{size:7,d}  {seconds:8.0f}   {memory:18.2f}   {card['features']:8,d}   {made['accuracy']:.4f}", flush=True)
            if size in options.beside:
                _, plain, most = run([sys.executable, "-c", PLAIN, file, options.text, options.label])
                print(f"         {plain:8.0f}   {most:18.2f}   scikit-learn, one setting, no report", flush=True)


if __name__ == "__main__":
    main()
