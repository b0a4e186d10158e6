"""How near is a decision to the speed of the hardware, and where does the time go?

    python tests/bench/speed.py [LETTERS.csv[.gz]] [--home FOLDER] [--take 1024] [--rounds 5] [--every 1] [--plot FILE.svg] [--record FILE.json]

CPU time a letter of every stage and of the whole, one letter at a time and in batches of 16, 256 and 4,096; beside it, on the same letters and in turn
with them, what a user would write instead, each learned from the starter letters: `jieba.lcut` in scikit-learn's `TfidfVectorizer` with a linear SVM,
with our n-grams and with words only, the same behind `rjieba`, and `rjieba` with fastText. LETTERS (columns title, body or text) may come from
TRIAGE_REAL_LETTERS; without it the starter letters are read. Ratios and medians count; the machine is noisy. Prints no letter's words.

With --record the ratios to the others are compared with those in the file, if there is one, and then written to it; when one has fallen below four
fifths of what it was, that is said and the exit status is 1, and the file stays. It is docs/speed.json for letters of the length told there.
"""

import argparse
import csv
import gc
import gzip
import json
import logging
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.classifier import judgements
from models.features import Vocabulary, read_only
from models.judging import judge
from training.labelled import starter_letters
from training.train import ensure_model
from triage import taxonomy as taxonomies
from triage.characters import weighted
from triage.desk import OPENING, TITLE_COUNTS, open_desk
from triage.desk import read as read_letters
from triage.letter import Letter
from triage.lost import counts
from triage.normalise import normalised
from triage.tokens import Segmenter

BATCHES = {1: 256, 16: 512, 256: 1024, 4096: 4096}  # sizes, and how many letters each way reads in batches of that size
OURS = "letter-triage, the whole decision"
WORSE = 0.8  # of a recorded ratio: what is lower is told


def read(path):
    csv.field_size_limit(10**9)
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file:
        return [Letter(row.get("body") or row.get("text") or "", title=row.get("title") or "") for row in csv.DictReader(file)]


def cost(work, items, batch):
    """Microseconds of CPU an item."""
    began = time.process_time()
    for start in range(0, len(items), batch):
        work(items[start : start + batch])
    return (time.process_time() - began) / len(items) * 1e6


def stages(desk, letters, batch):
    """Microseconds a letter of each stage of ``Desk.decide``, in its order."""
    model, spent, clock = desk.stored.model, {}, time.process_time

    def timed(name, work):
        began = clock()
        made = work()
        spent[name] = spent.get(name, 0.0) + clock() - began
        return made

    for start in range(0, len(letters), batch):
        part = letters[start : start + batch]
        texts = timed("normalise", lambda part=part: normalised([letter.text for letter in part]))
        titled = np.array([letter.title != "" for letter in part])
        lines = timed("titles", lambda texts=texts, titled=titled: weighted(*texts, titled, TITLE_COUNTS, OPENING))
        words = timed("segment", lambda lines=lines: desk.segmenter.words(*lines))
        timed("features and scores", lambda words=words: model.read(words))
        judged = timed("the same, choice and why", lambda words=words: judge(words.arrays, desk._question))
        timed("terms as text", lambda words=words, judged=judged: judgements(judged, words.codes, len(model.heads)))
        timed("guards", lambda texts=texts: desk.guards.read(*texts))
        timed("readable", lambda words=words, texts=texts: counts(*words.arrays, *texts))
    spent["choice and why"] = max(0.0, spent.pop("the same, choice and why") - spent["features and scores"])
    return {name: seconds / len(letters) * 1e6 for name, seconds in spent.items()}


def peers(labelled):
    """What a user would write, by name: a function of letters, learned from labelled ones."""
    import jieba
    import rjieba
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    jieba.setLogLevel(logging.WARNING)
    cut = rjieba.Jieba().cut
    texts, labels = [item.letter.text for item in labelled], [item.category for item in labelled]

    def learned(cut, *, characters):
        parts = [TfidfVectorizer(tokenizer=cut, token_pattern=None, ngram_range=(1, 2), sublinear_tf=True, min_df=2)]
        if characters:
            parts.append(TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=3))
        model = make_pipeline(make_union(*parts), LinearSVC(tol=0.1)).fit(texts, labels)
        return lambda letters: model.predict([letter.text for letter in letters])

    yield "jieba + scikit-learn, our n-grams", learned(jieba.lcut, characters=True)
    yield "jieba + scikit-learn, words only", learned(jieba.lcut, characters=False)
    yield "rjieba + scikit-learn, our n-grams", learned(cut, characters=True)
    yield from fasttext(cut, texts, labels)


def fasttext(cut, texts, labels):
    try:
        import fasttext
    except ImportError:
        print("fastText is not installed: pip install fasttext-numpy2-wheel")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.writelines(f"__label__{label} {' '.join(cut(text.replace(chr(10), ' ')))}\n" for label, text in zip(labels, texts, strict=True))
        file.flush()
        model = fasttext.train_supervised(file.name, epoch=10, lr=0.5, wordNgrams=2, verbose=0, thread=1)
    yield "rjieba + fastText", lambda letters: [model.f.predict(" ".join(cut(letter.text.replace("\n", " "))), 1, 0.0, "strict") for letter in letters]


def by_length(desk, letters):
    """Microseconds of CPU a thousand characters, for letters of up to 100,000 characters and for hostile ones of that length; least of three."""
    text = "\n".join(letter.text for letter in letters)
    text *= -(-100_000 // len(text))
    chance = random.Random(3)
    texts = {f"{size:,} characters": text[:size] for size in (1_000, 10_000, 100_000)}
    texts["100,000 times one character"] = "拆" * 100_000
    texts["100,000 random characters"] = "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(100_000))
    texts["100,000 digits"] = "7" * 100_000
    return {name: min(cost(desk.decide, [Letter(text)], 1) for _ in range(3)) / len(text) * 1e3 for name, text in texts.items()}


def by_features(desk, letters):
    """Microseconds of CPU a letter to read 256 letters, by the size of the vocabulary: the model's own, then filled up with n-grams that no letter has."""
    model, words, found = desk.stored.model, read_letters(letters[:256], desk.segmenter), {}
    chance = np.random.default_rng(3)
    for size in (len(model.vocabulary), 500_000, 1_000_000):
        more = chance.integers(1 << 43, 1 << 62, max(0, size - len(model.vocabulary)), dtype=np.uint64)
        keys, rows = np.unique(np.concatenate([model.vocabulary.keys, more]), return_index=True)
        idf = np.concatenate([model.vocabulary.idf, np.ones(len(more), np.float32)])[rows]
        steps = np.concatenate([model.weights.steps, np.zeros((len(more), model.weights.steps.shape[1]), np.int16)])[rows]
        larger = replace(model, vocabulary=Vocabulary(keys, idf), weights=model.weights._replace(steps=read_only(steps)))
        larger.read(words)
        found[f"{len(keys):,} features"] = min(cost(lambda _, larger=larger: larger.read(words), [words], 1) for _ in range(5)) / len(words)
    return found


STARTS = """
import sys, time
from pathlib import Path
from models import store
from triage import taxonomy
from triage.desk import model_folder, open_desk
from triage.letter import Letter
from triage.lost import counts
from triage.tokens import Segmenter

def own():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))) / 1024

home, began = Path(sys.argv[1]), time.process_time()
some = [Letter("包工头欠我们四个月工资不给" * 20)] * 16
segmenter, known = Segmenter(), taxonomy.load(home)
open_desk(home, known, segmenter).decide(some)  # what is compiled is loaded
ready, before, began = time.process_time() - began, own(), time.process_time()
stored = store.load(model_folder(home), store.current(model_folder(home)))
loaded, began = time.process_time() - began, time.process_time()
desk = open_desk(home, known, segmenter)
desk.decide(some)
print(f"{ready:.2f} {loaded * 1e3:.0f} {before:.0f} {own() - before:.0f}")
"""


def opening(home):
    """Seconds of CPU until a process is ready, milliseconds of CPU to load a model, MiB of the process's own memory before and by a second model.

    Medians of five, beside a process that keeps the same model open: pages of the model that both have mapped are nobody's own.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        return None
    told = [subprocess.run([sys.executable, "-c", STARTS, str(home)], check=True, capture_output=True, text=True).stdout.split() for _ in range(5)]
    return [statistics.median(map(float, figures)) for figures in zip(*told, strict=True)]


def start_up(home):
    """Seconds to the command line's answers, median of five."""
    told = {}
    for words in (["--help"], ["classify", "包工头欠我们四个月工资"]):
        command = [sys.executable, "-c", "from api.cli import main; main()", *words]
        took = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TRIAGE_HOME": str(home)})
            took.append(time.perf_counter() - began)
        told[f"triage {words[0]}"] = statistics.median(took)
    return told


def record(path, ratios, length):
    """Compare the ratios with those recorded, then record them. Exits with 1 and leaves the file when one has fallen."""
    now = {name: {str(batch): round(ratio, 1) for batch, ratio in found.items()} for name, found in ratios.items() if name != OURS}
    before = json.loads(path.read_text("utf-8"))["ratios"] if path.exists() else {}
    fallen = [
        f"{name}, {batch} at a time: x{now[name][batch]}, was x{was}"
        for name, found in before.items()
        for batch, was in found.items()
        if name in now and now[name][batch] < WORSE * was
    ]
    if fallen:
        sys.exit("slower than recorded: " + "; ".join(fallen))
    path.write_text(json.dumps({"mean_characters": length, "ratios": now}, indent=1) + "\n", "utf-8")


def plot(path, rows):
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    names = [name for name in rows if 256 in rows[name]]
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(names) + 1))
    axes.barh(names[::-1], [rows[name][256] for name in names[::-1]])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("microseconds of CPU a letter, 256 at a time")
    figure.tight_layout()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters", nargs="?", type=Path, default=os.environ.get("TRIAGE_REAL_LETTERS"))
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("TRIAGE_HOME", "office")))
    parser.add_argument("--take", type=int, default=1024, help="how many letters")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=int, default=1, help="the others learn from every so many starter letters: quicker, and in their favour")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--record", type=Path, help="where the ratios stand, to be compared and written anew")
    options = parser.parse_args()
    taxonomy, segmenter = taxonomies.load(options.home), Segmenter()
    labelled = starter_letters(taxonomy)
    ensure_model(options.home, taxonomy, segmenter, lambda *_: None)
    began = time.process_time()
    desk = open_desk(options.home, taxonomy, segmenter)
    print(f"open the desk: {(time.process_time() - began) * 1e3:.0f} ms of CPU; {len(desk.stored.model.vocabulary)} features")
    letters = (read(Path(options.letters)) if options.letters else [item.letter for item in labelled])[: options.take]
    print(f"{len(letters)} letters, mean {statistics.mean(len(letter.text) for letter in letters):.0f} characters")
    desk.decide(letters[:64])
    ways = {OURS: desk.decide, **dict(peers(labelled[:: options.every]))}
    gc.collect()
    gc.freeze()  # as a service does when it starts: nobody's letters pay for what the others have learned
    times = {name: {batch: [] for batch in BATCHES} for name in ways}
    for _ in range(options.rounds):
        for batch, size in BATCHES.items():
            some = [letters[place % len(letters)] for place in range(size)]
            for name, work in ways.items():
                times[name][batch].append(cost(work, some, batch))
    medians = {name: {batch: statistics.median(took) for batch, took in found.items()} for name, found in times.items()}
    ours, by_round = medians[OURS], times[OURS]
    ratios = {
        name: {batch: statistics.median(other / own for other, own in zip(found[batch], by_round[batch], strict=True)) for batch in BATCHES}
        for name, found in times.items()
    }
    print("microseconds of CPU a letter, median (least to most) of the rounds, and how many times the whole decision, median of the rounds")
    for name, found in times.items():
        told = [f"{batch}: {statistics.median(took):.0f} ({min(took):.0f}-{max(took):.0f}) x{ratios[name][batch]:.1f}" for batch, took in found.items()]
        print(f"{name:38s} " + "   ".join(told))
    for batch in (1, 256):
        rounds = [stages(desk, letters, batch) for _ in range(options.rounds)]
        spent = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
        spent["the rest: routing and the decision itself"] = max(0.0, ours[batch] - sum(spent.values()))
        print(f"stages, {batch} at a time: " + "; ".join(f"{name} {took:.0f} us ({took / sum(spent.values()):.0%})" for name, took in spent.items()))
    print("; ".join(f"{name} {took:.0f} us a thousand" for name, took in by_length(desk, letters).items()))
    print("; ".join(f"{name} {took:.0f} us a letter to read" for name, took in by_features(desk, letters).items()))
    for name, seconds in start_up(options.home).items():
        print(f"{name}: {seconds:.2f} s to the answer")
    if found := opening(options.home):
        print(f"ready after {found[0]:.2f} s of CPU; a model loads in {found[1]:.0f} ms; own memory {found[2]:.0f} MiB, {found[3]:+.0f} MiB by one more model")
    if options.plot:
        plot(options.plot, medians)
    if options.record:
        record(options.record, ratios, round(statistics.mean(len(letter.text) for letter in letters)))


if __name__ == "__main__":
    main()
