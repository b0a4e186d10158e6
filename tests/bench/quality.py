"""How good is the live model on real letters that a person labelled?

    python tests/bench/quality.py LETTERS.csv[.gz] [--home FOLDER]

LETTERS has the columns id, title, body, category, second, purpose, sure. The path may also come from TRIAGE_REAL_LETTERS.
Prints accuracies, calibration and coverage, which categories are taken for which, and the ids of the worst mistakes: no letter's words.
"""

import argparse
import csv
import gzip
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from models.choice import choose
from triage import taxonomy as taxonomies
from triage.desk import CATEGORY, PURPOSE, open_desk, read
from triage.letter import Letter
from triage.routing import desks
from triage.taxonomy import path_of
from triage.tokens import DICTIONARY, Segmenter


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def share(hits):
    return f"{np.mean(list(hits)):.3f}"


def main():
    from models.calibration import expected_calibration_error
    from training.train import ensure_model

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters", nargs="?", type=Path, default=os.environ.get("TRIAGE_REAL_LETTERS"))
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("TRIAGE_HOME", "office")))
    options = parser.parse_args()
    if options.letters is None:
        sys.exit("no letters: name a file, or set TRIAGE_REAL_LETTERS")
    labelled = rows(Path(options.letters))
    taxonomy = taxonomies.load(options.home)
    segmenter = Segmenter(path_of(DICTIONARY, options.home))
    ensure_model(options.home, taxonomy, segmenter, lambda *_: None)
    desk = open_desk(options.home, taxonomy, segmenter)
    letters = [Letter(row["body"], title=row["title"], id=row["id"]) for row in labelled]
    decisions = desk.decide(letters)
    model = desk.stored.model
    reading = model.read(read(letters, segmenter)[1])
    head = model.head(CATEGORY)
    chances = model.scores(reading, head)
    order = np.argsort(-chances, axis=1, kind="stable")
    truth = np.array([head.labels.index(row["category"]) for row in labelled])
    purposes = model.head(PURPOSE).labels
    purpose = [purposes[i] for i in model.scores(reading, model.head(PURPOSE)).argmax(axis=1)]
    lead = [taxonomy.categories[row["category"]].lead for row in labelled]

    print(f"letters                             {len(labelled)}, model {desk.version}")
    chosen = choose(chances, desks(head.labels, taxonomy))[:, 0]
    print("category of the decision           ", share(chosen == truth))
    print("category, likeliest                ", share(order[:, 0] == truth))
    print("category, within the first three   ", share((order[:, :3] == truth[:, None]).any(axis=1)))
    print(
        "category or second matter, first   ",
        share(head.labels[first] in (row["category"], row["second"]) for first, row in zip(chosen, labelled, strict=True)),
    )
    print(
        "lead of the category               ",
        share(taxonomy.categories[head.labels[first]].lead == right for first, right in zip(chosen, lead, strict=True)),
    )
    print(
        "lead of the decision, guards on    ",
        share(decision.lead is not None and decision.lead.code == right for decision, right in zip(decisions, lead, strict=True)),
    )
    print("purpose                            ", share(said == row["purpose"] for said, row in zip(purpose, labelled, strict=True)))
    print("expected calibration error         ", f"{expected_calibration_error(chances, truth):.3f}")
    held = [row["category"] in [candidate.code for candidate in decision.candidates] for decision, row in zip(decisions, labelled, strict=True)]
    print(
        "candidates hold the right one      ", share(held), "with", f"{np.mean([len(decision.candidates) for decision in decisions]):.1f} candidates a letter"
    )
    alone = [(decision, right) for decision, right in zip(decisions, lead, strict=True) if not decision.needs_review]
    print(
        "sent on without review             ", f"{len(alone)}, lead right {share(decision.lead.code == right for decision, right in alone) if alone else '-'}"
    )
    print(
        "sent to review, by rule            ", dict(Counter(reason.rule for decision in decisions for reason in decision.reasons if reason.rule != "category"))
    )
    mistakes = [(float(chances[i, chosen[i]] - chances[i, truth[i]]), i) for i in range(len(labelled)) if chosen[i] != truth[i]]
    print("\nright <- taken for, most frequent first")
    for (right, taken), count in Counter((labelled[i]["category"], head.labels[chosen[i]]) for _, i in mistakes).most_common(25):
        print(f"  {count:3d}  {right} <- {taken}")
    print("\nworst mistakes (id: right, taken for, how much surer)")
    for gap, i in sorted(mistakes, reverse=True)[:20]:
        print(f"  {labelled[i]['id']}: {labelled[i]['category']}, {head.labels[chosen[i]]}, {gap:.2f}")


if __name__ == "__main__":
    main()
