"""Margins to probabilities that mean what they say, and what follows from them: thresholds and candidate sets.

All of it is learned from letters that the classifier behind the margins has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = 2.0  # a threshold that no probability reaches
SURE = 0.5  # below it another label may be likelier still in all


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
        from models import kernel

        return np.asarray(kernel.probabilities(_rows(margins), self.units(margins)))

    def units(self, margins: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n_letters,) log-odds that one unit of a letter's margin is worth."""
        from models import kernel

        return np.asarray(kernel.units(_rows(margins), self.scale, self.power))


def _rows(margins: NDArray[np.float32]) -> NDArray[np.float32]:
    """As compiled code takes them: margins of several heads stand side by side."""
    return np.ascontiguousarray(margins, np.float32)


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


def candidate_floor(probabilities: NDArray[np.float32], labels: NDArray[np.int64], coverage: float, confidence: float) -> float:
    """The probability from which a label is a candidate, so that with ``confidence`` the right one is among them with ``coverage``.

    Split conformal prediction with the probability of the right label as score (Sadinle, Lei, Wasserman 2019). The coverage that the
    k-th smallest of n scores gives is distributed as Beta(n + 1 - k, k) (Vovk 2012); the largest k that holds the promise is taken.
    0.0, every label, where there are too few letters for any.
    """
    from scipy.stats import beta

    scores = np.sort(probabilities[np.arange(len(labels)), labels])
    k = np.arange(1, len(scores) + 1)
    held = np.flatnonzero(beta.cdf(coverage, len(scores) + 1 - k, k) <= 1 - confidence)
    return float(scores[held[-1]]) if len(held) else 0.0


def send_thresholds(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], precision: float, confidence: float, second: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """For each label (n_labels,), the probability from which on its first choices are right with ``precision``; 2.0 is "never".

    A letter of two matters is right with either: ``second`` (n_letters,) is the other one, or -1. Each label that can prove a threshold
    holds it, with ``confidence``, for itself. Those with too few letters held out to prove any have one threshold in common, which holds
    for all of them together.
    """
    chosen, first = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = chosen == labels if second is None else (chosen == labels) | (chosen == second)
    each = np.array([_threshold(first[chosen == label], right[chosen == label], precision, confidence) for label in range(probabilities.shape[1])])
    rest = each == NEVER
    those = rest[chosen]
    each[rest] = _threshold(first[those], right[those], precision, confidence)
    return each.astype(np.float32)


def _threshold(first: NDArray[np.float32], right: NDArray[np.bool_], precision: float, confidence: float) -> float:
    """The lowest threshold that sequences of tests accept (Angelopoulos et al. 2021, "Learn then Test", fixed sequences).

    Each sequence begins at a number of surest letters, goes on to ever lower thresholds and ends at the first that fails, so no correction
    for its many tests is due, only for the number of beginnings. Neither may depend on who was right.
    """
    order = np.argsort(-first, kind="stable")
    first, right = first[order], right[order]
    sure = int((first >= SURE).sum())
    starts = _starts(sure, precision, confidence)
    doubt = (1 - confidence) / max(1, len(starts))
    accepted = NEVER
    for start in starts:
        for count in _steps(start, sure):
            if _chance(int(right[:count].sum()), count, precision) > doubt:
                break
            accepted = min(accepted, float(first[count - 1]))
    return accepted


def _starts(sure: int, precision: float, confidence: float) -> list[int]:
    """Numbers of letters to begin at: the fewest that can prove anything, without a mistake among them, and three times as many, and so on."""
    for beginnings in (4, 3, 2, 1):
        fewest = int(np.ceil(np.log((1 - confidence) / beginnings) / np.log(precision)))
        if fewest * 3 ** (beginnings - 1) <= sure:
            return [fewest * 3**number for number in range(beginnings)]
    return []


def _steps(start: int, stop: int) -> list[int]:
    """Counts from ``start`` to ``stop``, each a tenth above the one before."""
    steps = [start]
    while steps[-1] < stop:
        steps.append(min(stop, max(steps[-1] + 1, int(steps[-1] * 1.1))))
    return steps


def _chance(right: int, count: int, precision: float) -> float:
    """How likely at least ``right`` of ``count`` are right where each is with ``precision``: small speaks for a better one."""
    from scipy.stats import binom

    return float(binom.sf(right - 1, count, precision))
