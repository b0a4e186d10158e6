"""The classifier: words in, calibrated probabilities and the terms behind them out.

A model is a vocabulary, one matrix of weights, and a head for each question asked of a letter (its category, its purpose): a head
is a span of the matrix's columns with the labels they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.features import Grams, Matrix, Vocabulary, Words, grams, read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.calibration import Curve


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

    def read(self, batch: Words) -> Reading:
        """Look at a batch of letters once."""
        from models import kernel

        found = grams(batch)
        matrix = self.vocabulary.matrix(found)
        return Reading(found, matrix, kernel.margins(matrix.rows, read_only(self.weights), read_only(self.intercepts)))

    def scores(self, reading: Reading, head: Head) -> NDArray[np.float32]:
        """Calibrated probabilities (n_letters, n_labels) in the order of ``head.labels``; each row sums to 1."""
        return head.curve.probabilities(reading.margins[:, head.span])

    def why(self, reading: Reading, head: Head, labels: NDArray[np.int64], limit: int = 8) -> list[list[tuple[str, float]]]:
        """For each letter the terms that moved the log-odds of its label in ``labels`` most, strongest first: a quarter of them those against it.

        Each term stands in the letter. A term that is part of a stronger one of the same sign is told once, with it. A label of -1 asks for none.
        """
        from models.terms import Asked, behind

        units = head.curve.units(reading.margins[:, head.span])
        asked = Asked(read_only(self.weights), np.where(labels < 0, -1, head.first + labels), units)
        words = reading.grams.words
        terms = behind(read_only(words.codes), reading.grams.found, reading.matrix.rows, asked, limit)
        text = words.text(0, len(words.codes))
        return [
            [(text[begin:end], round(move, 3)) for begin, end, move in zip(*row, strict=True) if end]
            for row in zip(terms.begins.tolist(), terms.ends.tolist(), terms.moves.tolist(), strict=True)
        ]
