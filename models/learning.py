"""Labelled letters to a model: learned with scikit-learn, calibrated on letters held out.

Two linear classifiers see the same features and are averaged: one-against-rest linear SVMs, which are exact about the words they
have met often, and complement naive Bayes (Rennie et al. 2003), which is robust where letters are few and writers new. The average of
two linear classifiers is again one matrix of weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models import calibration
from models.classifier import CategoryModel, Head
from models.features import Matrix, grams, learn_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    Batch = Sequence[Sequence[str]]
    Progress = Callable[[str, float], None]
    Linear = tuple[NDArray[np.float32], NDArray[np.float32]]
    """Weights (n_features, n_labels) and intercepts (n_labels,)."""

FOLDS = 3
SMOOTHING = 0.3  # of naive Bayes
TOLERANCE = 0.2  # of the SVM: 0.05 takes half as long again and decides no better (docs/decisions.md)


@dataclass(frozen=True, slots=True)
class Options:
    """How to learn.

    ``cost`` of the SVM's mistakes; how far a ``second`` label counts against a first one; the ``coverage`` that candidates promise; the
    ``precision`` asked of letters that are sent on alone.
    """

    cost: float = 1.0
    second: float = 0.3
    coverage: float = 0.95
    precision: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """What one head learns from: ``labels`` has one entry a letter, ``second`` another label that is partly right, or ""."""

    name: str
    labels: Sequence[str]
    second: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A question in numbers: ``rows`` (n_letters, n_features), ``targets`` and ``second`` (n_letters,) with -1 for no second label."""

    rows: csr_matrix
    targets: NDArray[np.int64]
    second: NDArray[np.int64]
    n_labels: int

    def take(self, which: NDArray[np.int64]) -> Task:
        """The task of some of the letters."""
        return replace(self, rows=self.rows[which], targets=self.targets[which], second=self.second[which])

    def weighted(self, second: float) -> tuple[csr_matrix, NDArray[np.int64], NDArray[np.float64]]:
        """Rows, targets and weights, where a second label is one more letter of weight ``second``."""
        from scipy.sparse import vstack

        also = np.flatnonzero(self.second >= 0)
        weights = np.concatenate([np.ones(len(self.targets)), np.full(len(also), second)])
        return vstack([self.rows, self.rows[also]]).tocsr(), np.concatenate([self.targets, self.second[also]]), weights

    def soft_targets(self, second: float) -> NDArray[np.float32]:
        """(n_letters, n_labels), rows sum to 1: a second label has its share."""
        shares = np.zeros((len(self.targets), self.n_labels), np.float32)
        also = np.flatnonzero(self.second >= 0)
        shares[also, self.second[also]] = second
        shares[np.arange(len(self.targets)), self.targets] = 1.0
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def fit(
    batch: Batch, questions: Sequence[Question], groups: Sequence[str], *, options: Options | None = None, told: Progress | None = None
) -> tuple[CategoryModel, dict[str, dict[str, float]]]:
    """Learn a model with one head for each question, and what held-out letters say of it, by head.

    ``batch`` are tokenised letters; ``groups`` has one entry a letter, and letters of one group (near-duplicates) are never on both sides
    of a split. Probabilities, thresholds and the scores returned come from letters held out.
    """
    options, told = options or Options(), told or _silent
    told("features", 0.0)
    found = grams(batch)
    vocabulary = learn_vocabulary(found, len(batch))
    rows = _sparse(vocabulary.matrix(found, len(batch)), len(vocabulary))
    linear: list[Linear] = []
    heads: list[Head] = []
    scores = {}
    for done, question in enumerate(questions):
        told(question.name, (done + 0.3) / (len(questions) + 0.3))
        known = tuple(dict.fromkeys(question.labels))
        task = Task(rows, _numbers(question.labels, known), _numbers(question.second or [""] * len(batch), known), len(known))
        head = Head(question.name, known, sum(len(head.labels) for head in heads), calibration.Curve(), 0.0, ())
        head, weights, scores[question.name] = _learn(head, task, groups, options)
        heads.append(head)
        linear.append(weights)
    told("done", 1.0)
    weights, intercepts = zip(*linear, strict=True)
    return CategoryModel(vocabulary, np.ascontiguousarray(np.hstack(weights)), np.concatenate(intercepts), tuple(heads)), scores


def _silent(step: str, done: float) -> None:
    """Report to nobody."""


def _numbers(labels: Sequence[str], known: Sequence[str]) -> NDArray[np.int64]:
    number = {label: i for i, label in enumerate(known)}
    return np.array([number.get(label, -1) for label in labels])


def _learn(head: Head, task: Task, groups: Sequence[str], options: Options) -> tuple[Head, Linear, dict[str, float]]:
    """Fit on all letters, and on the letters of each fold's other side; in processes, since the SVM's random numbers are one a process."""
    from joblib import Parallel, delayed
    from sklearn.model_selection import StratifiedGroupKFold

    splits = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=options.seed).split(task.rows, task.targets, groups))
    with Parallel(n_jobs=-1) as parallel:
        svm, bayes, *folds = parallel(
            [delayed(_svm)(task, options), delayed(_bayes)(task, options), *(delayed(_held_out)(task, *split, options) for split in splits)]
        )
    margins = np.empty((2, len(task.targets), task.n_labels), np.float32)
    for (_, test), fold in zip(splits, folds, strict=True):
        margins[:, test] = fold
    spread = margins.std(axis=2).mean(axis=1) + np.float32(1e-9)
    head, scores = _calibrated(head, (margins / spread[:, None, None]).sum(axis=0), task, options)
    return head, (svm[0] / spread[0] + bayes[0] / spread[1], svm[1] / spread[0] + bayes[1] / spread[1]), scores


def _held_out(task: Task, train: NDArray[np.int64], test: NDArray[np.int64], options: Options) -> NDArray[np.float32]:
    """Margins (2, n_test, n_labels) of the two classifiers for letters that they have not seen."""
    part = task.take(train)
    return np.stack([task.rows[test] @ weights + intercepts for weights, intercepts in (_svm(part, options), _bayes(part, options))])


def _calibrated(head: Head, margins: NDArray[np.float32], task: Task, options: Options) -> tuple[Head, dict[str, float]]:
    curve = calibration.learn_curve(margins, task.soft_targets(options.second))
    probabilities = curve.probabilities(margins)
    floor = calibration.candidate_floor(probabilities, task.targets, options.coverage)
    thresholds = tuple(round(float(t), 4) for t in calibration.send_thresholds(probabilities, task.targets, options.precision))
    scores = {
        "accuracy": round(float((probabilities.argmax(axis=1) == task.targets).mean()), 4),
        "calibration_error": round(calibration.expected_calibration_error(probabilities, task.targets), 4),
    }
    return replace(head, curve=curve, candidate_floor=round(floor, 6), send_thresholds=thresholds), scores


def _svm(task: Task, options: Options) -> Linear:
    from sklearn.svm import LinearSVC

    rows, targets, weights = task.weighted(options.second)
    fitted = LinearSVC(C=options.cost, tol=TOLERANCE, random_state=options.seed).fit(rows, targets, sample_weight=weights)
    two = len(fitted.classes_) == 2
    coefficients = np.vstack([-fitted.coef_, fitted.coef_]) if two else fitted.coef_
    offsets = np.concatenate([-fitted.intercept_, fitted.intercept_]) if two else fitted.intercept_
    return _centred(coefficients, offsets, fitted.classes_, task.n_labels)


def _bayes(task: Task, options: Options) -> Linear:
    from sklearn.naive_bayes import ComplementNB

    rows, targets, weights = task.weighted(options.second)
    fitted = ComplementNB(alpha=SMOOTHING).fit(rows, targets, sample_weight=weights)
    return _centred(fitted.feature_log_prob_, np.zeros(len(fitted.classes_)), fitted.classes_, task.n_labels)


def _centred(coefficients: NDArray[np.float64], offsets: NDArray[np.float64], held: NDArray[np.int64], n_labels: int) -> Linear:
    """Weights and intercepts over all labels, their mean over the labels taken off.

    Softmax does not see what all labels share, and a centred weight says how far a term speaks for a label against the others. A label
    that the rows lack stays below all others.
    """
    weights = np.zeros((coefficients.shape[1], n_labels), np.float32)
    intercepts = np.full(n_labels, min(-1.0, float(offsets.min())), np.float32)
    weights[:, held], intercepts[held] = coefficients.T, offsets
    return weights - weights.mean(axis=1, keepdims=True), intercepts - intercepts.mean()


def _sparse(matrix: Matrix, n_features: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    return csr_matrix((matrix.values.astype(np.float64), matrix.columns, matrix.indptr), shape=(len(matrix.indptr) - 1, n_features))
