"""How good is a model that staff train from their own file, against what they would train instead?

    python tests/bench/retraining.py LETTERS.csv[.gz] [--text COLUMN] [--label COLUMN] [--folds 5]

The path may also come from TRIAGE_REAL_LETTERS. Five folds, each through the command line (`triage train`, `triage evaluate`) in a new office,
beside the script that everyone writes (jieba words, TF-IDF, logistic regression or a linear SVM) and fastText, on the same folds.
Prints accuracy, macro-F1, seconds and memory: no letter's words.
"""

import argparse
import csv
import gzip
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from watch import run

TRIAGE = Path(sys.executable).with_name("triage")


def read(path):
    csv.field_size_limit(10**9)
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def ours(folder, train, test, options):
    """What the command line says of the test rows."""
    for name, rows in (("train.csv", train), ("test.csv", test)):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    columns = ["--text", options.text, "--label", options.label, "--json"]
    home = {"TRIAGE_HOME": str(folder / "office")}
    printed, seconds, memory = run([TRIAGE, "train", folder / "train.csv", *columns], **home)
    version = json.loads(printed)["version"]
    printed, _, _ = run([TRIAGE, "evaluate", folder / "test.csv", *columns, "--model", version], **home)
    found = json.loads(printed)
    return found["accuracy"], found["macro_f1"], seconds, memory


def scored(truth, said):
    from sklearn.metrics import accuracy_score, f1_score

    return accuracy_score(truth, said), f1_score(truth, said, average="macro")


def scripts(train, test, options):
    """The scripts that everyone writes, by name: (accuracy, macro-F1, seconds)."""
    import jieba
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    def words(rows):
        return [" ".join(word for word in jieba.lcut(row[options.text]) if word.strip()) for row in rows]

    truth = [row[options.label] for row in test]
    start = time.perf_counter()
    learned, asked = words(train), words(test)
    cut = time.perf_counter() - start
    vectorizer = TfidfVectorizer(token_pattern=r"(?u)\S+")
    rows, labels = vectorizer.fit_transform(learned), [row[options.label] for row in train]
    for name, classifier in (("jieba + TF-IDF + logistic regression", LogisticRegression(max_iter=1000)), ("jieba + TF-IDF + linear SVM", LinearSVC())):
        start = time.perf_counter()
        said = classifier.fit(rows, labels).predict(vectorizer.transform(asked))
        yield name, (*scored(truth, said), cut + time.perf_counter() - start)
    yield from fasttext(learned, labels, asked, truth, cut)


def fasttext(learned, labels, asked, truth, cut):
    try:
        import fasttext
    except ImportError:
        print("fastText is not installed: pip install fasttext-numpy2-wheel")
        return
    numbers = {label: str(number) for number, label in enumerate(dict.fromkeys(labels))}
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.writelines(f"__label__{numbers[label]} {text.replace(chr(10), ' ')}\n" for label, text in zip(labels, learned, strict=True))
        file.flush()
        start = time.perf_counter()
        model = fasttext.train_supervised(file.name, epoch=25, lr=0.5, wordNgrams=2, verbose=0, thread=2)
    said = [model.f.predict(text.replace("\n", " "), 1, 0.0, "strict")[0][1].removeprefix("__label__") for text in asked]
    names = {number: label for label, number in numbers.items()}
    yield "jieba + fastText (25 epochs, word pairs)", (*scored(truth, [names[number] for number in said]), cut + time.perf_counter() - start)


def main():
    from sklearn.model_selection import StratifiedKFold

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters", nargs="?", type=Path, default=os.environ.get("TRIAGE_REAL_LETTERS"))
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    if options.letters is None:
        sys.exit("no letters: name a file, or set TRIAGE_REAL_LETTERS")
    rows = read(Path(options.letters))
    labels = [row[options.label] for row in rows]
    found = {}
    for number, (train, test) in enumerate(StratifiedKFold(options.folds, shuffle=True, random_state=0).split(labels, labels), 1):
        learned, asked = [rows[at] for at in train], [rows[at] for at in test]
        with tempfile.TemporaryDirectory() as folder:
            found.setdefault("triage train", []).append(ours(Path(folder), learned, asked, options))
        for name, figures in scripts(learned, asked, options):
            found.setdefault(name, []).append(figures)
        print(f"fold {number}: " + "; ".join(f"{name} {rounds[-1][0]:.4f}" for name, rounds in found.items()), flush=True)
    print(f"\n{len(rows)} letters, {options.folds} folds      accuracy  macro-F1  seconds a fold")
    for name, rounds in found.items():
        accuracy, macro_f1, seconds = np.mean([figures[:3] for figures in rounds], axis=0)
        print(f"{name:42s} {accuracy:.4f}    {macro_f1:.4f}   {seconds:6.0f}")
    print(f"most memory of a training run, all processes: {max(figures[3] for figures in found['triage train']):.2f} GiB")


if __name__ == "__main__":
    main()
