"""Labelled letters to a model: settings chosen, weights learned and probabilities calibrated, all on letters held out.

The letters are read part by part, twice; what is kept of a letter is its row of features. Every figure that a model promises comes from
letters that the classifier behind the figure has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from models import calibration
from models.classifier import CategoryModel, Head
from models.features import Vocabulary, grams
from models.linear import Settings, Task
from models.search import learn, search
from models.vocabulary import learn_vocabulary
from models.weights import in_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from models.features import Matrix, Words
    from models.linear import Linear

    Batch = Callable[[slice], Words]
    Progress = Callable[[str, float], None]

PART = 1000  # letters read at a time


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a model, and how it is learned.

    ``coverage`` of the candidates, ``precision`` of letters sent on alone, each held with ``confidence``; ``share``: how far a second
    label counts against a first one.
    """

    coverage: float = 0.95
    precision: float = 0.95
    confidence: float = 0.9
    share: float = 0.3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """What one head learns.

    An entry a letter in ``labels``, "" where it is not asked of that letter; ``second`` another label that is
    partly right, or ""; ``weights`` how much a letter counts. Empty ``second`` and ``weights`` stand for none and 1; without ``settings``
    they are searched for.
    """

    name: str
    labels: Sequence[str]
    second: Sequence[str] = ()
    weights: Sequence[float] = ()
    settings: Settings | None = None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What is said of letters by classifiers that have not seen them.

    ``letters`` (n,) positions in the batch; ``truth`` and ``second`` (n,) numbers of the head's labels, the latter -1 where there is none;
    ``probabilities`` (n, n_labels). ``trials`` are the settings tried with accuracy + macro-F1 of each.
    """

    letters: NDArray[np.int64]
    truth: NDArray[np.int64]
    second: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    settings: Settings
    trials: tuple[tuple[Settings, float], ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """A model, its ``terms`` in the order of the vocabulary, and what each head says of letters held out, by the head's name."""

    model: CategoryModel
    terms: list[str]
    held_out: dict[str, HeldOut]


def fit(batch: Batch, questions: Sequence[Question], groups: NDArray[np.int64], *, options: Options | None = None, told: Progress | None = None) -> Learned:
    """Learn a model with one head for each question.

    ``batch`` gives the words of the letters that a slice asks for, ``PART`` at a time, so that not all need be held; ``groups`` (n_letters,)
    has near-duplicates under one number: they are never on both sides of a split. The vocabulary is that of the letters which the
    first question is asked of. Raises ValueError where a question has fewer than two labels.
    """
    options, told = options or Options(), told or _silent
    told("features", 0.0)
    asked = np.array([bool(label) for label in questions[0].labels])
    vocabulary = learn_vocabulary((grams(words).only(asked[at]) for at, words in _parts(batch, len(asked))), int(asked.sum()))
    rows, terms = _rows(batch, len(asked), vocabulary, lambda done: told("features", 0.1 + 0.1 * done))
    heads: list[Head] = []
    weights: list[Linear] = []
    held_out = {}
    for question in questions:
        first = sum(len(head.labels) for head in heads)
        span = (0.2 + 0.8 * len(heads) / len(questions), 0.8 / len(questions))
        step = partial(_step, told, question.name, span)
        head, learned, held_out[question.name] = _head(question, rows, groups, options, step)
        heads.append(replace(head, first=first))
        weights.append(learned)
    told("done", 1.0)
    matrix, intercepts = zip(*weights, strict=True)
    return Learned(CategoryModel(vocabulary, in_steps(np.hstack(matrix), np.concatenate(intercepts)), tuple(heads)), terms, held_out)


def _silent(step: str, done: float) -> None:
    """Report to nobody."""


def _step(told: Progress, name: str, span: tuple[float, float], done: float) -> None:
    """Tell how much of all is done when ``done`` of a question's part is."""
    told(name, span[0] + span[1] * done)


def _parts(batch: Batch, n_letters: int) -> Iterator[tuple[slice, Words]]:
    """Part by part the letters."""
    for start in range(0, n_letters, PART):
        at = slice(start, min(start + PART, n_letters))
        yield at, batch(at)


def _rows(batch: Batch, n_letters: int, vocabulary: Vocabulary, told: Callable[[float], None]) -> tuple[csr_matrix, list[str]]:
    """TF-IDF of all letters (n_letters, n_features) float32, and how each feature reads."""
    from scipy.sparse import csr_matrix

    terms = np.full(len(vocabulary), "", object)
    parts = []
    for at, words in _parts(batch, n_letters):
        matrix = vocabulary.matrix(words)
        _name(terms, matrix, words)
        parts.append((np.diff(matrix.indptr), matrix.columns.copy(), matrix.values.copy()))  # copies: each views an array for all n-grams
        told(at.stop / n_letters)
    counts, columns, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    rows = csr_matrix((values, columns, np.concatenate([[0], np.cumsum(counts)])), shape=(n_letters, len(vocabulary)))
    rows.sort_indices()
    return rows, list(terms)


def _name(terms: NDArray[Any], matrix: Matrix, words: Words) -> None:
    columns, first = np.unique(matrix.columns, return_index=True)
    for column, (begin, end) in zip(columns, matrix.spans[first], strict=True):
        terms[column] = terms[column] or words.text(begin, end)


def _head(question: Question, rows: csr_matrix, groups: NDArray[np.int64], options: Options, told: Callable[[float], None]) -> tuple[Head, Linear, HeldOut]:
    """Choose settings, learn on all letters, and calibrate on what each fold's other side says."""
    known = tuple(dict.fromkeys(label for label in question.labels if label))
    if len(known) < 2:
        raise ValueError(f"{question.name}: at least two labels are needed, not {len(known)}")
    asked = np.flatnonzero([bool(label) for label in question.labels])
    task, groups = _task(question, known, rows, options.share).take(asked), groups[asked]
    settings, trials = (question.settings, []) if question.settings else search(task, groups, options.seed, told)
    told(0.8)
    weights, margins = learn(task, groups, settings, options.seed)
    head, chances = _calibrated(Head(question.name, known, 0, calibration.Curve(), 0.0, ()), margins, task, options)
    return head, weights, HeldOut(asked, task.targets, task.second, chances, settings, tuple(trials))


def _task(question: Question, known: Sequence[str], rows: csr_matrix, share: float) -> Task:
    n_letters = len(question.labels)
    weights = np.array(question.weights or np.ones(n_letters), np.float64)
    return Task(rows, _numbers(question.labels, known), _numbers(question.second or [""] * n_letters, known), weights, len(known), share)


def _numbers(labels: Sequence[str], known: Sequence[str]) -> NDArray[np.int64]:
    number = {label: i for i, label in enumerate(known)}
    return np.array([number.get(label, -1) for label in labels], np.int64)


def _calibrated(head: Head, margins: NDArray[np.float32], task: Task, options: Options) -> tuple[Head, NDArray[np.float32]]:
    curve = calibration.learn_curve(margins, task.soft_targets())
    chances = curve.probabilities(margins)
    floor = calibration.candidate_floor(chances, task.targets, options.coverage, options.confidence)
    thresholds = calibration.send_thresholds(chances, task.targets, options.precision, options.confidence, task.second)
    return replace(head, curve=curve, candidate_floor=round(floor, 6), send_thresholds=tuple(round(float(t), 4) for t in thresholds)), chances
