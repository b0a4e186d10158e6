"""How likely is a label wrong? Confident learning (Northcutt, Jiang, Chuang, "Confident Learning", JAIR 70, 2021) on held-out probabilities.

How many labels are wrong is the paper's count, off the diagonal of the confident joint; which ones, the probability of the label
itself says best. ``tests/bench/label_noise.py`` measures it beside the margins that were tried, and beside the library cleanlab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Chances = NDArray[np.float32]

TWINS = 2.0  # log-odds that a label gains when all near-duplicates of a letter bear it; 1 to 4 find the same within noise


def suspicion(truth: Numbers, probabilities: Chances, groups: Numbers) -> Chances:
    """(n,) 0..1, how likely each label is wrong; 0 where ``truth`` is -1, which stands for a letter that was not learned.

    ``truth`` (n,) numbers the columns of ``probabilities`` (n, n_labels), which come from classifiers that have not seen the letter or
    a near-duplicate of it; ``groups`` (n,) numbers the near-duplicates.

    >>> chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]], np.float32)
    >>> suspicion(np.array([0, 1, -1]), chances, np.array([0, 1, 2])).round(2).tolist()
    [0.10000000149011612, 0.8999999761581421, 0.0]
    """
    return _of_labels(truth, revised(truth, probabilities, groups))


def suspected(truth: Numbers, probabilities: Chances, groups: Numbers) -> NDArray[np.bool_]:
    """(n,) whether each label is probably wrong: as many of the most suspicious as the confident joint counts off its diagonal.

    >>> chances = np.array([[0.9, 0.1]] * 4 + [[0.2, 0.8]] * 4, np.float32)
    >>> suspected(np.array([0, 0, 0, 1, 1, 1, 1, 1]), chances, np.arange(8)).tolist()
    [False, False, False, True, False, False, False, False]
    """
    believed = revised(truth, probabilities, groups)
    doubt = np.where(_best(believed) == truth, 0.0, _of_labels(truth, believed))
    marked = np.zeros(len(truth), bool)
    marked[np.argsort(-doubt, kind="stable")[: _count(truth, believed)]] = True
    return marked & (doubt > 0)


def revised(truth: Numbers, probabilities: Chances, groups: Numbers) -> Chances:
    """(n, n_labels) the probabilities when the labels of a letter's near-duplicates, its own left aside, are heard as well; rows sum to 1 or 0.

    It is their shares that count: a form sent in a hundred times with one wrong label weighs no more than one sent twice.
    """
    known = np.flatnonzero(truth >= 0)
    _, which = np.unique(groups, return_inverse=True)
    votes = np.zeros((which.max(initial=-1) + 1, probabilities.shape[1]), np.float32)
    np.add.at(votes, (which[known], truth[known]), 1.0)
    others = votes[which]
    others[known, truth[known]] -= 1.0
    weights = probabilities * np.exp(TWINS * _shares(others))
    return _shares(weights)


def second_is_right(truth: Numbers, probabilities: Chances, second: Numbers) -> Chances:
    """(n, n_labels) the probabilities when a letter's ``second`` label (-1 for none) is as right as its first: both stand under the first."""
    chances = probabilities.copy()
    both = np.flatnonzero((truth >= 0) & (second >= 0) & (truth != second))
    chances[both, truth[both]] += chances[both, second[both]]
    chances[both, second[both]] = 0.0
    return chances


def _shares(weights: Chances) -> Chances:
    """Each row divided by its sum; a row of zeros stays."""
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30), np.float32)


def _best(believed: Chances) -> Numbers:
    return believed.argmax(axis=1) if believed.shape[1] else np.zeros(len(believed), np.int64)


def _of_labels(truth: Numbers, believed: Chances) -> Chances:
    known = np.flatnonzero(truth >= 0)
    doubt = np.zeros(len(truth), np.float32)
    doubt[known] = 1.0 - believed[known, truth[known]]
    return doubt


def _count(truth: Numbers, believed: Chances) -> int:
    """Letters that are, for another label than their own, at least as sure as the letters of that label are on average (the paper's equation 1)."""
    usual = np.array([believed[truth == label, label].mean() if (truth == label).any() else np.inf for label in range(believed.shape[1])])
    above = np.where(believed >= usual, believed, -1.0)
    confident = (truth >= 0) & (above.max(axis=1, initial=-1.0) >= 0)
    return int((_best(above)[confident] != truth[confident]).sum())
