"""The classifier: tokens in, calibrated probabilities and the terms behind them out.

A model is a vocabulary, one matrix of weights, and a head for each question asked of a letter (its category, its purpose): a head
is a span of the matrix's columns with the labels they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.features import Grams, Matrix, Vocabulary, grams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.calibration import Curve

    Batch = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Head:
    """One question: its labels in order, and what turns margins into probabilities and probabilities into decisions.

    ``candidate_floor`` and ``send_thresholds`` are probabilities (see ``models.calibration``); ``first`` is the head's first column.
    """

    name: str
    labels: tuple[str, ...]
    first: int
    curve: Curve
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
        return {head.name: head for head in self.heads}[name]

    def read(self, batch: Batch) -> Reading:
        """Look at a batch of tokenised letters once."""
        found = grams(batch)
        matrix = self.vocabulary.matrix(found, len(batch))
        return Reading(found, matrix, _product(matrix, self.weights) + self.intercepts)

    def scores(self, reading: Reading, head: Head) -> NDArray[np.float32]:
        """Calibrated probabilities (n_letters, n_labels) in the order of ``head.labels``; each row sums to 1."""
        return head.curve.probabilities(reading.margins[:, head.span])

    def why(self, reading: Reading, row: int, head: Head, label: int, limit: int = 8) -> list[tuple[str, float]]:
        """The terms of letter ``row`` that moved the log-odds of ``label`` most, strongest first: a quarter of them those against it.

        Each term stands in the letter. A term that is part of a stronger one of the same sign is told once, with it.
        """
        at = reading.matrix.letter(row)
        unit = float(head.curve.units(reading.margins[row : row + 1, head.span])[0, 0])
        moved = reading.matrix.values[at] * self.weights[reading.matrix.columns[at], head.first + label] * unit
        order, first = np.argsort(moved, kind="stable"), reading.matrix.first[at]
        against = [(reading.grams.term(first[i]), float(moved[i])) for i in order[:limit] if moved[i] < 0]
        speaking = [(reading.grams.term(first[i]), float(moved[i])) for i in order[: -2 * limit - 1 : -1] if moved[i] > 0]
        told = _merged(against)[: limit // 4]
        return sorted(_merged(speaking)[: limit - len(told)] + told, key=lambda term: -abs(term[1]))


def _merged(moves: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Terms of one sign, strongest first, each with the terms that it holds or that hold it."""
    told: dict[str, float] = {}
    for term, move in moves:
        host = next((known for known in told if term in known or known in term), term)
        told[host] = told.get(host, 0.0) + move
    return sorted(((term, round(move, 3)) for term, move in told.items()), key=lambda item: -abs(item[1]))


def _product(matrix: Matrix, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sparse rows x dense weights (n_letters, n_outputs), summed in the order of the columns: the same alone and in any batch."""
    n_letters = len(matrix.indptr) - 1
    out = np.zeros((n_letters, weights.shape[1]), np.float32)
    for row in range(n_letters):
        at = matrix.letter(row)
        np.einsum("i,ij->j", matrix.values[at], weights[matrix.columns[at]], out=out[row])
    return out
