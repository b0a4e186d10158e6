"""The classifier: words in, calibrated probabilities and the terms behind them out.

A model is a vocabulary, one matrix of weights, and a head for each question asked of a letter (its category, its purpose): a head
is a span of the matrix's columns with the labels they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.calibration import Curve
    from models.features import Vocabulary, Words
    from models.judging import Judged, Question
    from models.weights import Weights


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


class Curves(NamedTuple):
    """The heads as ``models.kernel`` takes them: the first output of each and the end of the last, and each one's curve."""

    firsts: NDArray[np.int64]
    scales: NDArray[np.float64]
    powers: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """A batch as the model sees it.

    ``margins`` and ``probabilities`` (n_letters, n_outputs) float32, the outputs of all heads side by side; ``known`` (n_letters,) the share of each
    letter's pairs of characters that the training letters had; low means unreadable.
    """

    margins: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    known: NDArray[np.float32]


class Judgement(NamedTuple):
    """What the model says of a letter.

    ``chances`` are the probabilities of all heads side by side, ``chosen`` and ``runner_up`` numbers of the asked head's labels; ``why`` are the
    terms that moved the log-odds of the chosen one most, strongest first, a quarter of them those against it; each stands in the letter.
    """

    known: float
    chances: list[float]
    chosen: int
    runner_up: int
    why: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class CategoryModel:
    """A fitted model. ``weights`` are centred within each head."""

    vocabulary: Vocabulary
    weights: Weights
    heads: tuple[Head, ...]
    _curves: Curves = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        firsts = np.array([0, *(head.span.stop for head in self.heads)])
        curves = [head.curve for head in self.heads]
        object.__setattr__(self, "_curves", Curves(firsts, np.array([curve.scale for curve in curves]), np.array([curve.power for curve in curves])))

    def head(self, name: str) -> Head:
        """The head that answers ``name``. Raises KeyError when the model was never asked that."""
        return {head.name: head for head in self.heads}[name]

    def read(self, batch: Words) -> Reading:
        """Look at a batch of letters once."""
        from models.kernel import read

        rows, margins, chances = read(*batch.arrays, self.vocabulary.index, self.weights, self._curves)
        return Reading(margins, chances, rows.known)

    def scores(self, reading: Reading, head: Head) -> NDArray[np.float32]:
        """Calibrated probabilities (n_letters, n_labels) in the order of ``head.labels``; each row sums to 1."""
        return reading.probabilities[:, head.span]

    def asked(self, head: Head, groups: NDArray[np.int64], limit: int = 8) -> Question:
        """What ``models.judging.judge`` is to answer: what ``head`` says of each letter, and why; see ``models.choice`` for ``groups``."""
        from models.judging import Question

        return Question(self.vocabulary.index, self.weights, self._curves, self.heads.index(head), groups, limit)


def judgements(found: Judged, codes: NDArray[np.uint32]) -> list[Judgement]:
    """What was judged of each letter, with the terms that stand in ``codes``. A term that is part of a stronger one of the same sign is told with it."""
    text = codes.tobytes().decode("utf-32-le")
    return [
        Judgement(known, chances, chosen, runner_up, [(text[begin:end], move) for (begin, end), move in zip(spans, moves, strict=True) if end])
        for known, chances, (chosen, runner_up), spans, moves in zip(*(column.tolist() for column in found), strict=True)
    ]
