"""Small offices, for tests that train; and small models made in a moment, for tests that need many versions rather than good ones."""

import csv
import json
import os
import subprocess
import sys
import tomllib
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np

from models import store
from models.calibration import Curve
from models.classifier import CategoryModel, Head
from models.features import Vocabulary, grams
from models.weights import in_steps
from triage import golden
from triage.desk import CATEGORY, PURPOSE, READS, model_folder, read
from triage.taxonomy import DATA

FOUR = ("wages", "land_expropriation", "utilities", "school_management")
TRIAGE = Path(sys.executable).with_name("triage")
TRACED: dict[str, str] = {}  # what a process needs in its environment for coverage to follow it
CODES = ("wages", "land_expropriation", "utilities")


def office_of(folder):
    """An office that keeps four of the shipped categories, so that its starter model is trained in seconds."""
    folder.mkdir()
    kept = tomllib.loads((DATA / "categories.toml").read_text("utf-8"))
    lines = []
    for kind in ("domain", "purpose", "category"):
        for entry in kept[kind]:
            if kind != "category" or entry["code"] in FOUR:
                lines += [f"[[{kind}]]", *(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in entry.items())]
    (folder / "categories.toml").write_text("\n".join(lines), "utf-8")
    return folder


def nearest_mean(batch, questions):
    """A model in which each label is the mean of its letters, cut into words; ``questions`` has a list of labels, one a letter, for each head."""
    keys = np.unique(grams(batch).keys)
    vocabulary = Vocabulary(keys, np.ones(len(keys), np.float32))
    matrix = vocabulary.matrix(batch)
    rows = np.zeros((len(batch), len(keys)), np.float32)
    for row in range(len(batch)):
        rows[row, matrix.columns[matrix.letter(row)]] = matrix.values[matrix.letter(row)]
    heads, means = [], []
    for name, answers in questions.items():
        labels = tuple(dict.fromkeys(answers))
        heads.append(Head(name, labels, sum(len(head.labels) for head in heads), Curve(20.0), 0.02, (0.9,) * len(labels)))
        means += [rows[[answer == label for answer in answers]].mean(axis=0) for label in labels]
    weights = np.stack(means, axis=1)
    return CategoryModel(vocabulary, in_steps(weights, np.zeros(weights.shape[1], np.float32)), tuple(heads))


def small_model(starter, segmenter, codes=CODES, each=12):
    """A model of the first starter letters of some categories."""
    letters = [labelled for code in codes for labelled in [item for item in starter if item.category == code][:each]]
    batch = read([labelled.letter for labelled in letters], segmenter)
    return nearest_mean(batch, {CATEGORY: [item.category for item in letters], PURPOSE: [item.purpose for item in letters]})


def keep(home, version, model, segmenter, letters, **card):
    """Save a model that an office could open; ``letters`` are its golden ones."""
    facts = {"reads": READS, "dictionary": segmenter.checksum, "golden": golden.decided(model, segmenter, letters), **card}
    store.save(model_folder(home), version, model, ["x"] * len(model.vocabulary), facts)
    return version


def rewrite_card(home, version, **changes):
    """Change a card and seal it again, as somebody would who forges one."""
    path = model_folder(home) / version / store.CARD
    path.write_bytes(store.sealed(store.card(model_folder(home), version) | changes))


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def triage(*words, home, check=True):
    """(exit status, standard output, standard error) of a command in this process."""
    done = here(*map(str, words), TRIAGE_HOME=str(home))
    assert not check or done.returncode in {0, 3}, done.stderr.decode()
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def made_ready(home):
    """An office with its starter model."""
    subprocess.run([TRIAGE, "init"], env=os.environ | {"TRIAGE_HOME": str(home)}, check=True, stdout=subprocess.DEVNULL)
    return home


def write(path, letters, names=None, **columns):
    """A file as staff keep it; ``names`` are their words for the categories."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["编号", "标题", "正文", "类别", *columns])
        for item in letters:
            label = (names or {}).get(item.category, item.category)
            rows.writerow([item.letter.id, item.letter.title, item.letter.body, label, *(value(item) for value in columns.values())])
    return path


def here(*words, stdin=b"", **env):
    """A command in this process, with streams of its own: what ``subprocess.run`` would say of it, a second and a half sooner."""
    from api.cli import main

    streams = [TextIOWrapper(BytesIO(given), "utf-8", write_through=True) for given in (stdin, b"", b"")]
    before, status = (sys.argv, sys.stdin, sys.stdout, sys.stderr, dict(os.environ)), 0
    try:
        sys.argv, (sys.stdin, sys.stdout, sys.stderr) = ["triage", *words], streams
        os.environ.update(env)
        main()
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = before[:4]
        os.environ.clear()
        os.environ.update(before[4])
    return subprocess.CompletedProcess(words, status, *(stream.buffer.getvalue() for stream in streams[1:]))
