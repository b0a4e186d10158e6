"""What a model says of labelled letters, read part by part, and which letters it has learned from."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from training.evaluate import Answers
from triage.desk import CATEGORY, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.classifier import CategoryModel
    from models.features import Words
    from models.learning import HeldOut
    from training.labelled import LabelledLetter
    from triage.letter import Letter
    from triage.tokens import Segmenter

SEEN = "seen.npy"  # in a model's folder: marks of the letters that it has learned from, ascending
PART = 1000


def reader(letters: Sequence[Letter], segmenter: Segmenter) -> Callable[[slice], Words]:
    """The words of a slice of the letters, made when asked for: those of a hundred thousand would fill the memory."""
    return lambda at: read(letters[at], segmenter)


def answers(model: CategoryModel, letters: Sequence[LabelledLetter], segmenter: Segmenter) -> Answers:
    """The categories that a model gives to labelled letters. Categories that it does not know stand behind its own, with probability 0."""
    head = model.head(CATEGORY)
    words = reader([item.letter for item in letters], segmenter)
    parts = [model.scores(model.read(words(slice(start, start + PART))), head) for start in range(0, len(letters), PART)]
    chances = np.concatenate([np.empty((0, len(head.labels)), np.float32), *parts])
    return aligned(head.labels, letters, chances)


def held_out(found: HeldOut, labels: tuple[str, ...], letters: Sequence[LabelledLetter], n_own: int) -> Answers:
    """What was said of the first ``n_own`` letters by classifiers that have not seen them."""
    own = found.letters < n_own
    return aligned(labels, [letters[at] for at in found.letters[own]], found.probabilities[own])


def aligned(labels: tuple[str, ...], letters: Sequence[LabelledLetter], chances: NDArray[np.float32]) -> Answers:
    """Answers in which every right label has a column."""
    number = {label: i for i, label in enumerate(dict.fromkeys([*labels, *(item.category for item in letters)]))}
    wide = np.zeros((len(letters), len(number)), np.float32)
    wide[:, : len(labels)] = chances
    return Answers(tuple(number), tuple(name_of(item) for item in letters), np.array([number[item.category] for item in letters], np.int64), wide)


def relabelled(found: Answers, labels: Sequence[str]) -> Answers:
    """The same answers with ``labels`` (all of theirs and more) in another order."""
    number = {label: i for i, label in enumerate(labels)}
    to = np.array([number[label] for label in found.labels], np.int64)
    wide = np.zeros((len(found.truth), len(labels)), np.float32)
    wide[:, to] = found.probabilities
    return Answers(tuple(labels), found.ids, to[found.truth], wide)


def name_of(item: LabelledLetter) -> str:
    """How a letter is named in lists: by its id, else by its file and row."""
    return item.letter.id or item.where


def marks(letters: Sequence[LabelledLetter]) -> NDArray[np.uint64]:
    """(n,) a number for each letter's words, blanks left out; the words cannot be had back from it."""
    digests = (blake2b("".join(item.letter.text.split()).encode("utf-8", "surrogatepass"), digest_size=8).digest() for item in letters)
    return np.frombuffer(b"".join(digests), np.uint64)


def seen(folder: Path, version: str, letters: Sequence[LabelledLetter]) -> NDArray[np.bool_]:
    """(n,) whether a version has learned from each letter; all False for a version that kept no marks."""
    path = folder / version / SEEN
    known = np.load(path, allow_pickle=False) if path.is_file() else np.empty(0, np.uint64)
    return np.isin(marks(letters), known)
