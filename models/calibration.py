"""Margins to probabilities that mean what they say, and what follows from them: thresholds and candidate sets.

All of it is learned from letters that the classifier behind the margins has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_LETTERS = 10  # fewer held-out letters than this above a threshold say nothing about it


@dataclass(frozen=True, slots=True)
class Curve:
    """How margins become probabilities: softmax of ``scale`` x margins / spread ** ``power``, the spread being a letter's own.

    Long letters in well-known words have wide margins over the labels, short odd ones narrow margins; with ``power`` 1 only the
    shape counts, with 0 only the size (plain temperature scaling, Guo et al. 2017). Held-out letters choose.
    """

    scale: float = 1.0
    power: float = 0.0

    def probabilities(self, margins: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n_letters, n_labels), each row sums to 1; the order of the labels stays that of the margins.

        >>> Curve(3.0).probabilities(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
        """
        weights = np.exp((margins - margins.max(axis=1, keepdims=True)) * self.units(margins))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def units(self, margins: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n_letters, 1) log-odds that one unit of a letter's margin is worth."""
        centred = margins - margins.mean(axis=1, keepdims=True)
        spread = np.sqrt(np.einsum("ij,ij->i", centred, centred) / margins.shape[1])
        return np.asarray(self.scale / np.maximum(spread, 1e-6) ** self.power)[:, None]


def learn_curve(margins: NDArray[np.float32], targets: NDArray[np.float32]) -> Curve:
    """The curve under which ``targets`` (n_letters, n_labels; rows sum to 1) are most likely for held-out margins."""
    from scipy.optimize import minimize_scalar

    def loss(log_scale: float, power: float) -> float:
        chances = Curve(float(np.exp(log_scale)), power).probabilities(margins)
        return float(-(targets * np.log(np.maximum(chances, 1e-12))).sum(axis=1).mean())

    found = [(minimize_scalar(loss, args=(power,), bounds=(-3.0, 5.0), method="bounded"), power) for power in (0.0, 0.5, 1.0)]
    best, power = min(found, key=lambda item: float(item[0].fun))
    return Curve(float(np.exp(best.x)), power)


def expected_calibration_error(probabilities: NDArray[np.float32], labels: NDArray[np.int64], bins: int = 10) -> float:
    """Mean gap between probability and accuracy of the first choice, over equal bins (Naeini et al. 2015); 0 is perfect.

    >>> expected_calibration_error(np.array([[0.8, 0.2]] * 5), np.array([0, 0, 0, 0, 1]))
    0.0
    """
    first = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    which = np.minimum((first * bins).astype(int), bins - 1)
    gaps = [abs(float(first[which == b].mean() - right[which == b].mean())) * int((which == b).sum()) for b in np.unique(which)]
    return round(sum(gaps) / len(labels), 6)


def candidate_floor(probabilities: NDArray[np.float32], labels: NDArray[np.int64], coverage: float) -> float:
    """The probability above which a label is a candidate, so that the right one is among them with ``coverage``.

    Split conformal prediction with the probability of the right label as score (Sadinle, Lei, Wasserman 2019).
    """
    scores = np.sort(probabilities[np.arange(len(labels)), labels])
    allowed = int(np.floor((len(labels) + 1) * (1 - coverage)))
    return float(scores[max(0, allowed - 1)]) if allowed else 0.0


def send_thresholds(probabilities: NDArray[np.float32], labels: NDArray[np.int64], precision: float) -> NDArray[np.float32]:
    """For each label (n_labels,), the probability from which on its first choices held the target precision.

    A label with too few held-out letters takes the threshold of all labels together; one that never holds it gets 2.0, "never".
    """
    first, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    general = _threshold(first, right, precision, 2.0)
    chosen = probabilities.argmax(axis=1)
    each = [_threshold(first[chosen == label], right[chosen == label], precision, general) for label in range(probabilities.shape[1])]
    return np.array(each, dtype=np.float32)


def _threshold(first: NDArray[np.float32], right: NDArray[np.bool_], precision: float, otherwise: float) -> float:
    if len(first) < MIN_LETTERS:
        return otherwise
    order = np.argsort(-first, kind="stable")
    precisions = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    held = np.flatnonzero((precisions >= precision) & (np.arange(len(order)) >= MIN_LETTERS - 1))
    return float(first[order[held[-1]]]) if len(held) else 2.0
