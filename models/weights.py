"""The weights of a linear classifier as whole numbers: half the memory of float32, and no decision that differs (docs/decisions.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.features import read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 32_767  # from 0 to the largest weight of an output
LINE = 32  # outputs that a cache line of 64 bytes holds: rows are filled up to whole lines


class Weights(NamedTuple):
    """A matrix (n_features, n_outputs) and its intercepts, as ``models.kernel`` takes them.

    ``steps`` (n_features, n_outputs filled up with zeros to a multiple of ``LINE``) int16 are weights in ``units`` (n_outputs,) float32;
    ``intercepts`` (n_outputs,) float32.
    """

    steps: NDArray[np.int16]
    units: NDArray[np.float32]
    intercepts: NDArray[np.float32]

    def output(self, number: int) -> NDArray[np.float32]:
        """(n_features,) the weights of one output."""
        return np.asarray(self.steps[:, number] * self.units[number])


def in_steps(matrix: NDArray[np.float32], intercepts: NDArray[np.float32]) -> Weights:
    """A matrix of weights (n_features, n_outputs) in whole numbers, each output in a unit of its own.

    >>> in_steps(np.array([[1.0, -0.5], [0.0, 0.25]], np.float32), np.zeros(2, np.float32)).output(1).round(4).tolist()
    [-0.5, 0.25]
    """
    units = np.abs(matrix).max(axis=0, initial=np.finfo(np.float32).tiny * STEPS) / np.float32(STEPS)
    steps = np.zeros((len(matrix), full(matrix.shape[1])), np.int16)
    steps[:, : matrix.shape[1]] = np.rint(matrix / units)
    return Weights(read_only(steps), read_only(units.astype(np.float32)), read_only(np.asarray(intercepts, np.float32)))


def full(n_outputs: int) -> int:
    """The outputs of a row that is filled up to whole lines.

    >>> full(53), full(64), full(0)
    (64, 64, 0)
    """
    return -(-n_outputs // LINE) * LINE
