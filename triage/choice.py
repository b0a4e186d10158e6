"""The compiled choice of the category to route by. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def choose(chances: NDArray[np.float32], desks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each letter the category to route by and the likeliest other one: the desk with the most probability in all, then its likeliest category.

    ``chances`` (n_letters, n_categories); ``desks`` (n_categories,) has a number for each category's lead. A letter sent to the wrong desk
    costs weeks; a wrong category at the right desk costs nothing.

    >>> chosen, runner_up = choose(np.array([[0.40, 0.35, 0.25]], np.float32), np.array([0, 1, 1]))
    >>> chosen.tolist(), runner_up.tolist()
    ([1], [0])
    """
    chosen, runner_up = np.zeros(len(chances), np.int64), np.zeros(len(chances), np.int64)
    for row in range(len(chances)):
        shares = np.zeros(desks.max() + 1)
        for category in range(len(desks)):
            shares[desks[category]] += chances[row, category]
        best, most, largest = 0, -1.0, shares.max()
        for category in range(len(desks)):
            if shares[desks[category]] == largest and chances[row, category] >= most:
                best, most = category, chances[row, category]
        other, next_most = best, -1.0
        for category in range(len(desks)):
            if category != best and chances[row, category] > next_most:
                other, next_most = category, chances[row, category]
        chosen[row], runner_up[row] = best, other
    return chosen, runner_up
