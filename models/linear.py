"""Rows of features to linear classifiers, with scikit-learn: support vector machines and naive Bayes, blended into one matrix.

The SVM of a label sees each feature scaled by how far it tells that label from the others (the log-count ratio of Wang and Manning 2012,
here as a scale of the features and not as their value). Complement naive Bayes (Rennie et al. 2003) is robust where letters are few and
writers new. A blend of linear classifiers is again one matrix of weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    Linear = tuple[NDArray[np.float32], NDArray[np.float32]]
    """Weights (n_features, n_labels) and intercepts (n_labels,)."""

SMOOTHING = 0.3  # of naive Bayes
ADDED = 1.0  # to every count of a log-count ratio
TOLERANCE = 0.1  # of the SVM's optimiser


@dataclass(frozen=True, slots=True)
class Settings:
    """What a search may choose.

    ``cost`` of the SVM's mistakes; ``emphasis`` 0..1 on features that tell labels apart; ``balance``: a letter
    weighs 1 / its label's size to this power; ``bayes``: naive Bayes' share 0..1 of the margin.
    """

    cost: float = 0.5
    emphasis: float = 0.5
    balance: float = 0.0
    bayes: float = 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """A question in numbers.

    ``rows`` (n_letters, n_features), ``targets`` and ``second`` (n_letters,) with -1 for no second label,
    ``weights`` (n_letters,), of which a second label has the share ``share``.
    """

    rows: csr_matrix
    targets: NDArray[np.int64]
    second: NDArray[np.int64]
    weights: NDArray[np.float64]
    n_labels: int
    share: float = 0.3

    def take(self, which: NDArray[np.int64]) -> Task:
        """The task of some of the letters."""
        return replace(self, rows=self.rows[which], targets=self.targets[which], second=self.second[which], weights=self.weights[which])

    def examples(self, balance: float) -> tuple[csr_matrix, NDArray[np.int64], NDArray[np.float64]]:
        """Rows, targets and weights, where a second label is one more letter with its share of the weight."""
        from scipy.sparse import vstack

        also = np.flatnonzero(self.second >= 0)
        rows = vstack([self.rows, self.rows[also]]).tocsr() if len(also) else self.rows
        targets = np.concatenate([self.targets, self.second[also]])
        weights = np.concatenate([self.weights, self.weights[also] * self.share])
        sizes = np.bincount(targets, weights, self.n_labels)
        return rows, targets, weights * (weights.sum() / np.count_nonzero(sizes) / sizes[targets]) ** balance

    def soft_targets(self) -> NDArray[np.float32]:
        """(n_letters, n_labels), rows sum to 1: a second label has its share."""
        shares = np.zeros((len(self.targets), self.n_labels), np.float32)
        also = np.flatnonzero(self.second >= 0)
        shares[also, self.second[also]] = self.share
        shares[np.arange(len(self.targets)), self.targets] = 1.0
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def svm(task: Task, settings: Settings, seed: int) -> Linear:
    """One SVM a label, against all others. A label that the rows lack stays below all others."""
    rows, targets, weights = task.examples(settings.balance)
    counts = _counts(rows, targets, weights, task.n_labels)
    held = np.flatnonzero(np.bincount(targets, minlength=task.n_labels))
    fitted = [_one_label(rows, targets == label, weights, _scales(counts, int(label), settings.emphasis), (settings.cost, seed)) for label in held]
    coefficients, offsets = zip(*fitted, strict=True)
    return _centred(np.vstack(coefficients), np.array(offsets), held, task.n_labels)


def _one_label(
    rows: csr_matrix, is_label: NDArray[np.bool_], weights: NDArray[np.float64], scales: NDArray[np.float64], how: tuple[float, int]
) -> tuple[NDArray[np.float64], float]:
    from scipy.sparse import csr_matrix
    from sklearn.svm import LinearSVC

    if is_label.all():  # nothing to tell it from
        return np.zeros(rows.shape[1]), 1.0
    scaled = csr_matrix((rows.data * scales[rows.indices], rows.indices, rows.indptr), shape=rows.shape)
    fitted = LinearSVC(C=how[0], tol=TOLERANCE, random_state=how[1]).fit(scaled, is_label, sample_weight=weights)
    return fitted.coef_[0] * scales, float(fitted.intercept_[0])


def _counts(rows: csr_matrix, targets: NDArray[np.int64], weights: NDArray[np.float64], n_labels: int) -> NDArray[np.float64]:
    """(n_features, n_labels): in how many letters of each label a feature stands, letters by weight."""
    from scipy.sparse import csr_matrix

    stands = csr_matrix((np.ones(rows.nnz, np.float32), rows.indices, rows.indptr), shape=rows.shape)
    labels = csr_matrix((weights, (np.arange(len(targets)), targets)), shape=(len(targets), n_labels))
    return np.asarray((stands.T @ labels).todense())


def _scales(counts: NDArray[np.float64], label: int, emphasis: float) -> NDArray[np.float64]:
    """(n_features,), mean 1 over the letters' features: |log-count ratio| of the label against the rest, by ``emphasis``."""
    total = counts.sum(axis=1)
    mine, others = counts[:, label] + ADDED, total - counts[:, label] + ADDED
    ratio = np.abs(np.log((mine / mine.sum()) / (others / others.sum())))
    mean = float(ratio @ total) / max(float(total.sum()), 1e-12)
    return np.asarray(1 - emphasis + emphasis * ratio / mean) if mean > 0 else np.ones(len(total))


def bayes(task: Task, settings: Settings) -> Linear:
    """Complement naive Bayes."""
    from sklearn.naive_bayes import ComplementNB

    rows, targets, weights = task.examples(settings.balance)
    fitted = ComplementNB(alpha=SMOOTHING).fit(rows, targets, sample_weight=weights)
    return _centred(fitted.feature_log_prob_, np.zeros(len(fitted.classes_)), fitted.classes_, task.n_labels)


def _centred(coefficients: NDArray[np.float64], offsets: NDArray[np.float64], held: NDArray[np.int64], n_labels: int) -> Linear:
    """Weights and intercepts over all labels, their mean over the labels taken off.

    Softmax does not see what all labels share, and a centred weight says how far a term speaks for a label against the others.
    """
    weights = np.zeros((coefficients.shape[1], n_labels), np.float32)
    intercepts = np.full(n_labels, min(-1.0, float(offsets.min())), np.float32)
    weights[:, held], intercepts[held] = coefficients.T, offsets
    return weights - weights.mean(axis=1, keepdims=True), intercepts - intercepts.mean()


def margins(linear: Linear, rows: csr_matrix) -> NDArray[np.float32]:
    """(n_letters, n_labels)."""
    return np.asarray(rows @ linear[0] + linear[1], dtype=np.float32)


def spread(margins: NDArray[np.float32]) -> np.float32:
    """How far a classifier's margins lie apart over the labels, on average over the letters: its unit."""
    return np.float32(margins.std(axis=1).mean() + 1e-9)
