"""Are wrong labels found? Labels of a real file are changed on purpose at random; how many of them stand at the top of the clerk's list?

    python tests/bench/label_noise.py LETTERS.csv[.gz] [--share 0.03] [--seeds 4]

LETTERS has a column of texts and one of labels; the path may also come from TRIAGE_REAL_LETTERS. Held-out probabilities are those of a
training run; every ranking reads the same ones. Beside ours stand the rankings that were tried, and those of cleanlab where it is installed.
The file's own mistakes are not known, so a label that was wrong before counts as a false alarm here. Prints figures, and no letter's words.
"""

import argparse
import importlib.util
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from models.learning import Options, Question, fit
from training.doubt import revised, suspected, suspicion
from training.duplicates import groups
from training.labelled import read_labelled
from triage import taxonomy as taxonomies
from triage.desk import CATEGORY, read
from triage.tokens import Segmenter


def flip(labels, share, seed):
    """Labels of which a share was exchanged for another of the labels, and which ones."""
    chance = np.random.default_rng(seed)
    names, numbers = np.unique(labels, return_inverse=True)
    flipped = np.zeros(len(labels), bool)
    flipped[chance.choice(len(labels), round(share * len(labels)), replace=False)] = True
    numbers[flipped] = (numbers[flipped] + chance.integers(1, len(names), flipped.sum())) % len(names)
    return names[numbers].tolist(), flipped


def margin(truth, chances, usual=0.0):
    """Best other label less the own one, each less what is ``usual`` for it."""
    rows, above = np.arange(len(truth)), chances - usual
    own = above[rows, truth]
    above[rows, truth] = -np.inf
    return above.max(axis=1) - own


def rankings(truth, chances, near):
    usual = np.array([chances[truth == label, label].mean() for label in range(chances.shape[1])])
    own = chances[np.arange(len(truth)), truth]
    yield "ours (own label, near-duplicates heard)", suspicion(truth, chances, near)
    yield "own label", 1 - own
    yield "margin", margin(truth, chances)
    yield "margin, by-class thresholds", margin(truth, chances, usual)
    yield "margin of logarithms", margin(truth, np.log(np.maximum(chances, 1e-9)))
    yield "margin, near-duplicates heard", margin(truth, revised(truth, chances, near))
    if importlib.util.find_spec("cleanlab"):
        from cleanlab.rank import get_label_quality_scores

        for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
            yield f"cleanlab {method}", -get_label_quality_scores(truth, chances, method=method)


def marks(truth, chances, near):
    yield "ours", suspected(truth, chances, near)
    if importlib.util.find_spec("cleanlab"):
        from cleanlab.filter import find_label_issues

        for method in ("prune_by_noise_rate", "both", "confident_learning", "low_self_confidence"):
            yield f"cleanlab {method}", find_label_issues(truth, chances, filter_by=method, n_jobs=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters", nargs="?", type=Path, default=os.environ.get("TRIAGE_REAL_LETTERS"))
    parser.add_argument("--share", type=float, default=0.03)
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    if options.letters is None:
        sys.exit("no letters: name a file, or set TRIAGE_REAL_LETTERS")
    letters = read_labelled([Path(options.letters)], taxonomies.shipped()).letters
    segmenter = Segmenter()
    batch = [read(letter.letter, segmenter)[1] for letter in letters]
    began = time.perf_counter()
    near = groups([letter.letter.text for letter in letters])
    print(f"letters {len(letters):,}, groups of near-duplicates {near.max() + 1:,} (found in {time.perf_counter() - began:.1f} s), changed {options.share:.0%}")
    found, marked, settings = defaultdict(list), defaultdict(list), None
    for seed in range(options.seeds):
        labels, flipped = flip([letter.category for letter in letters], options.share, seed)
        held_out = fit(batch, [Question(CATEGORY, labels, settings=settings)], near, options=Options(seed=seed)).held_out[CATEGORY]
        settings, chances, truth = held_out.settings, held_out.probabilities, held_out.truth
        top = round(options.share * len(letters))
        for name, doubt in rankings(truth, chances, near):
            found[name].append(flipped[np.argsort(-doubt, kind="stable")[:top]].sum() / flipped.sum())
        for name, mark in marks(truth, chances, near):
            marked[name].append((mark.sum(), flipped[mark].mean(), mark[flipped].mean()))
        print(f"seed {seed}: accuracy on the changed labels {(chances.argmax(axis=1) == truth).mean():.4f}, {settings}", flush=True)
    print(f"\nof the changed labels, in the first {options.share:.0%} of the ranking      mean   each seed")
    for name, shares in sorted(found.items(), key=lambda item: -np.mean(item[1])):
        print(f"  {name:<52}{np.mean(shares):.3f}   {' '.join(f'{share:.3f}' for share in shares)}")
    print("\nprobably wrong, by                                 letters  changed on purpose  found of the changed")
    for name, figures in marked.items():
        count, precision, recall = np.mean(figures, axis=0)
        print(f"  {name:<50}{count:6.0f} {precision:15.3f} {recall:19.3f}")


if __name__ == "__main__":
    main()
