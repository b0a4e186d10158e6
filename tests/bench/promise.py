"""Do the two promises hold on letters never seen? Twenty random splits, three targets.

    python tests/bench/promise.py LETTERS.csv[.gz] [--text COLUMN] [--label COLUMN] [--splits 20]

The path may also come from TRIAGE_REAL_LETTERS. Each split learns from half of the letters (near-duplicates on one side) and looks at the other
half: of the letters that go on alone, how many are right, category by category and in all; how often the candidates hold the right one.
A promise with confidence 0.9 may break in one of ten; what is counted as broken is a share below the target, and, since the other half is a
sample too, a share so far below that chance does not explain it (binomial test, 5 %).
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from retraining import read
from scipy.stats import binomtest

TARGETS = (0.90, 0.95, 0.98)
CONFIDENCE = 0.9


def split(segmented, labels, groups, seed):
    """Probabilities for held-out and for unseen letters: ((probabilities, truth), (probabilities, truth))."""
    from sklearn.model_selection import GroupShuffleSplit

    from models import learning
    from models.learning import Question
    from models.linear import Settings

    ((train, test),) = GroupShuffleSplit(1, test_size=0.5, random_state=seed).split(labels, groups=groups)
    question = Question("category", [labels[at] for at in train], settings=Settings())
    made = learning.fit([segmented[at] for at in train], [question], groups[train], options=learning.Options(seed=seed))
    held, head = made.held_out["category"], made.model.head("category")
    reading = made.model.read([segmented[at] for at in test])
    truth = np.array([head.labels.index(labels[at]) for at in test])
    return (held.probabilities, held.truth), (made.model.scores(reading, head), truth)


def broken(right, of, target):
    return of > 0 and right / of < target, of > 0 and binomtest(right, of, target, alternative="less").pvalue < 0.05


def main():
    from models import calibration
    from training import duplicates
    from triage.desk import read as cut
    from triage.letter import Letter
    from triage.tokens import Segmenter

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters", nargs="?", type=Path, default=os.environ.get("TRIAGE_REAL_LETTERS"))
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--splits", type=int, default=20)
    options = parser.parse_args()
    if options.letters is None:
        sys.exit("no letters: name a file, or set TRIAGE_REAL_LETTERS")
    rows = read(Path(options.letters))
    segmenter = Segmenter()
    segmented = [cut(Letter(row[options.text]), segmenter)[1] for row in rows]
    labels, groups = [row[options.label] for row in rows], duplicates.groups([row[options.text] for row in rows])
    seen = [split(segmented, labels, groups, seed) for seed in range(options.splits)]
    for target in TARGETS:
        sent, precise, covered, each, clear, missed = [], [], [], [], [], []
        for (held, held_truth), (chances, truth) in seen:
            said, sure = chances.argmax(axis=1), chances.max(axis=1)
            alone = sure >= calibration.send_thresholds(held, held_truth, target, CONFIDENCE)[said]
            right = said == truth
            sent.append(alone.mean())
            precise.append(right[alone].mean() if alone.any() else np.nan)
            for label in np.unique(said[alone]):
                mine = alone & (said == label)
                below, beyond = broken(int(right[mine].sum()), int(mine.sum()), target)
                each.append(below)
                clear.append(beyond)
            floor = calibration.candidate_floor(held, held_truth, target, CONFIDENCE)
            held_by = chances[np.arange(len(truth)), truth] >= floor
            covered.append(held_by.mean())
            missed.append(broken(int(held_by.sum()), len(truth), target)[1])
        print(f"target {target:.2f}, confidence {CONFIDENCE}: sent on alone {np.mean(sent):.3f} of the letters")
        print(
            f"  precision in all      mean {np.nanmean(precise):.4f}, lowest {np.nanmin(precise):.4f}, below the target in {np.sum(np.array(precise) < target)} of {len(seen)} splits"
        )
        print(f"  precision by category below the target in {np.mean(each):.3f} of {len(each)} (category, split), beyond chance in {np.mean(clear):.3f}")
        print(
            f"  coverage              mean {np.mean(covered):.4f}, lowest {np.min(covered):.4f}, below the target in {np.sum(np.array(covered) < target)} of {len(seen)} splits, beyond chance in {sum(missed)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
