"""The compiled choice of the label to act on, where several labels ask for the same act. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def choose(chances: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_letters, 2): the label to act on and the likeliest other one. The group with the most probability in all, then its likeliest label.

    ``chances`` (n_letters, n_labels); ``groups`` (n_labels,) has the same number for labels that ask for the same act: at the desk, categories
    with the same lead. A letter sent to the wrong desk costs weeks; a wrong category at the right desk costs nothing.

    >>> choose(np.array([[0.40, 0.35, 0.25]], np.float32), np.array([0, 1, 1])).tolist()
    [[1, 0]]
    """
    choice = np.zeros((len(chances), 2), np.int64)
    for row in range(len(chances)):
        shares = np.zeros(groups.max() + 1)
        for label in range(len(groups)):
            shares[groups[label]] += chances[row, label]
        best, most, largest = 0, -1.0, shares.max()
        for label in range(len(groups)):
            if shares[groups[label]] == largest and chances[row, label] >= most:
                best, most = label, chances[row, label]
        other, next_most = best, -1.0
        for label in range(len(groups)):
            if label != best and chances[row, label] > next_most:
                other, next_most = label, chances[row, label]
        choice[row, 0], choice[row, 1] = best, other
    return choice


@compiled
def likely(chances: NDArray[np.float32], floor: float, chosen: int, out: NDArray[np.int64]) -> int:
    """Write the labels from a probability on, and the chosen one whatever its probability, likeliest first; of equal ones the first. Returns how many."""
    n = 0
    for label in range(len(chances)):
        if chances[label] >= floor or label == chosen:
            at = n
            while at > 0 and chances[out[at - 1]] < chances[label]:
                out[at] = out[at - 1]
                at -= 1
            out[at] = label
            n += 1
    return n
