"""The classifier: tokens in, calibrated probabilities and the terms behind them out.

A model is a vocabulary, one matrix of weights, and a head for each question asked of a letter (its category, its purpose): a head
is a span of the matrix's columns with the labels they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models import calibration
from models.features import Grams, Matrix, Vocabulary, grams, learn_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    Batch = Sequence[Sequence[str]]
    Progress = Callable[[str, float], None]

FOLDS = 3


@dataclass(frozen=True, slots=True)
class Head:
    """One question: its labels in order, and what turns margins into probabilities and probabilities into decisions.

    ``candidate_floor`` and ``send_thresholds`` are probabilities (see ``models.calibration``); ``first`` is the head's first column.
    """

    name: str
    labels: tuple[str, ...]
    first: int
    scale: float
    candidate_floor: float
    send_thresholds: tuple[float, ...]

    @property
    def span(self) -> slice:
        """The head's columns in the matrix of weights."""
        return slice(self.first, self.first + len(self.labels))


@dataclass(frozen=True, slots=True)
class Reading:
    """A batch as the model sees it, kept so that scores and reasons come from one look at the letters."""

    grams: Grams
    matrix: Matrix
    margins: NDArray[np.float32]

    @property
    def known(self) -> NDArray[np.float32]:
        """(n_letters,) share of each letter's pairs of characters that the training letters had; low means unreadable."""
        return self.matrix.known


@dataclass(frozen=True, slots=True)
class CategoryModel:
    """A fitted model. ``weights`` (n_features, n_outputs) float32 are centred within each head, ``intercepts`` (n_outputs,)."""

    vocabulary: Vocabulary
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    heads: tuple[Head, ...]

    def head(self, name: str) -> Head:
        """The head that answers ``name``. Raises KeyError when the model was never asked that."""
        return next(head for head in self.heads if head.name == name)

    def read(self, batch: Batch) -> Reading:
        """Look at a batch of tokenised letters once."""
        found = grams(batch)
        matrix = self.vocabulary.matrix(found, len(batch))
        return Reading(found, matrix, _product(matrix, self.weights) + self.intercepts)

    def scores(self, reading: Reading, head: Head) -> NDArray[np.float32]:
        """Calibrated probabilities (n_letters, n_labels) in the order of ``head.labels``; each row sums to 1."""
        return calibration.softmax(reading.margins[:, head.span], head.scale)

    def why(self, reading: Reading, row: int, head: Head, label: int, limit: int = 8) -> list[tuple[str, float]]:
        """The terms of letter ``row`` that moved the log-odds of ``label`` most, strongest first, either sign.

        Each term stands in the letter. A term that is part of a stronger one of the same sign is told once, with it.
        """
        at = reading.matrix.letter(row)
        columns = reading.matrix.columns[at]
        moved = reading.matrix.values[at] * self.weights[columns, head.first + label] * head.scale
        best = np.argsort(-np.abs(moved), kind="stable")[: 6 * limit]
        first = reading.matrix.first[at][best]
        return _merged([(reading.grams.term(gram), float(move)) for gram, move in zip(first, moved[best], strict=True)], limit)


def _merged(moves: list[tuple[str, float]], limit: int) -> list[tuple[str, float]]:
    told: dict[str, float] = {}
    for term, move in moves:
        host = next((known for known, weight in told.items() if (term in known or known in term) and (weight > 0) == (move > 0)), None)
        told[host if host is not None else term] = told.get(host, 0.0) + move if host is not None else move
    ranked = sorted(told.items(), key=lambda item: -abs(item[1]))
    return [(term, round(move, 3)) for term, move in ranked[:limit]]


def _product(matrix: Matrix, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sparse rows x dense weights (n_letters, n_outputs), summed in the order of the columns: the same alone and in any batch."""
    n_letters = len(matrix.indptr) - 1
    out = np.zeros((n_letters, weights.shape[1]), np.float32)
    for row in range(n_letters):
        at = matrix.letter(row)
        np.einsum("i,ij->j", matrix.values[at], weights[matrix.columns[at]], out=out[row])
    return out


@dataclass(frozen=True, slots=True)
class Options:
    """How to learn: the SVM's ``cost`` of a mistake, the ``coverage`` that candidates promise, the ``precision`` asked of letters sent on alone."""

    cost: float = 1.0
    coverage: float = 0.95
    precision: float = 0.95
    seed: int = 0


def fit(
    batch: Batch, labels: Mapping[str, Sequence[str]], groups: Sequence[str], *, options: Options | None = None, told: Progress | None = None
) -> tuple[CategoryModel, dict[str, dict[str, float]]]:
    """Learn a model with one head for each entry of ``labels``, and what held-out letters say of it, by head.

    ``batch`` are tokenised letters; ``labels[head]`` and ``groups`` have one entry a letter. Letters of one group (near-duplicates, one
    writer) are never on both sides of a split. Probabilities, thresholds and the scores returned come from margins of letters held out.
    """
    options, told = options or Options(), told or _silent
    told("features", 0.0)
    found = grams(batch)
    vocabulary = learn_vocabulary(found, len(batch))
    rows = _sparse(vocabulary.matrix(found, len(batch)), len(vocabulary))
    weights, intercepts, scores = [], [], {}
    heads: list[Head] = []
    for done, (name, names) in enumerate(labels.items()):
        told(name, (done + 0.2) / len(labels))
        known = tuple(dict.fromkeys(names))
        targets = np.array([known.index(label) for label in names])
        margins = _held_out(rows, targets, groups, options)
        head, scores[name] = _head(Head(name, known, sum(len(head.labels) for head in heads), 1.0, 0.0, ()), margins, targets, options)
        matrix, offsets = _fit_one(rows, targets, len(known), options)
        weights.append(matrix)
        intercepts.append(offsets)
        heads.append(head)
    told("done", 1.0)
    return CategoryModel(vocabulary, np.ascontiguousarray(np.hstack(weights)), np.concatenate(intercepts), tuple(heads)), scores


def _silent(step: str, done: float) -> None:
    """Report to nobody."""


def _head(head: Head, margins: NDArray[np.float32], targets: NDArray[np.int64], options: Options) -> tuple[Head, dict[str, float]]:
    scale = calibration.learn_scale(margins, targets)
    probabilities = calibration.softmax(margins, scale)
    floor = calibration.candidate_floor(probabilities, targets, options.coverage)
    thresholds = tuple(round(float(t), 4) for t in calibration.send_thresholds(probabilities, targets, options.precision))
    scores = {
        "accuracy": round(float((probabilities.argmax(axis=1) == targets).mean()), 4),
        "calibration_error": round(calibration.expected_calibration_error(probabilities, targets), 4),
    }
    return replace(head, scale=round(scale, 6), candidate_floor=round(floor, 6), send_thresholds=thresholds), scores


def _held_out(rows: csr_matrix, targets: NDArray[np.int64], groups: Sequence[str], options: Options) -> NDArray[np.float32]:
    """Margins (n_letters, n_labels) of every letter from a classifier fitted without the letter's group."""
    from joblib import Parallel, delayed
    from sklearn.model_selection import StratifiedGroupKFold

    n_labels = int(targets.max()) + 1
    splits = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=options.seed).split(rows, targets, groups))
    fits = Parallel(n_jobs=-1, backend="threading")(delayed(_fit_one)(rows[train], targets[train], n_labels, options) for train, _ in splits)
    margins = np.empty((len(targets), n_labels), np.float32)
    for (_, test), (weights, intercepts) in zip(splits, fits, strict=True):
        margins[test] = rows[test] @ weights + intercepts
    return margins


def _fit_one(rows: csr_matrix, targets: NDArray[np.int64], n_labels: int, options: Options) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (n_features, n_labels) and intercepts (n_labels,) of one-against-rest linear SVMs, centred over the labels.

    Softmax does not see what all labels share; centred, a weight says how far a term speaks for a label against the others.
    A label that the rows do not hold keeps a margin below all others.
    """
    from sklearn.svm import LinearSVC

    fitted = LinearSVC(C=options.cost, random_state=options.seed).fit(rows, targets)
    weights = np.zeros((rows.shape[1], n_labels), np.float32)
    intercepts = np.full(n_labels, -1.0, np.float32)
    held = fitted.classes_ if len(fitted.classes_) > 2 else fitted.classes_[1:]
    weights[:, held], intercepts[held] = fitted.coef_.T, fitted.intercept_
    if len(fitted.classes_) == 2:
        other = fitted.classes_[0]
        weights[:, other], intercepts[other] = -fitted.coef_[0], -fitted.intercept_[0]
    return weights - weights.mean(axis=1, keepdims=True), intercepts - intercepts.mean()


def _sparse(matrix: Matrix, n_features: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    return csr_matrix((matrix.values.astype(np.float64), matrix.columns, matrix.indptr), shape=(len(matrix.indptr) - 1, n_features))
