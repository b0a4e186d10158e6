"""The classifier: words in, calibrated probabilities and the terms behind them out.

A model is a vocabulary, one matrix of weights, and a head for each question asked of a letter (its category, its purpose): a head
is a span of the matrix's columns with the labels they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.calibration import Curve
    from models.features import Vocabulary, Words
    from models.judging import Judged, Question
    from models.weights import Weights

    Scored = tuple[int, float]


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

    ``candidates`` are numbers of the asked head's labels with their probabilities, likeliest first; the one at ``chosen`` is to be acted on,
    ``runner_up`` is the likeliest other label. ``best`` has each head's likeliest. ``terms`` are those that moved the log-odds of the chosen
    one most, by ``moves``, strongest first, a quarter of them those against it; each stands in the letter.
    """

    known: float
    candidates: list[Scored]
    chosen: int
    runner_up: Scored
    best: list[Scored]
    terms: list[str]
    moves: list[float]


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

        return Question(self.vocabulary.index, self.weights, self._curves, self.heads.index(head), groups, head.candidate_floor, limit)


def judgements(found: Judged, codes: NDArray[np.uint32], n_heads: int) -> list[Judgement]:
    """What was judged of each letter, with the terms that stand in ``codes``. A term that is part of a stronger one of the same sign is told with it."""
    text, ends, known, places = codes.tobytes().decode("utf-32-le"), found.ends.tolist(), found.known.tolist(), found.places.tolist()
    scored = list(zip(found.labels.tolist(), found.chances.tolist(), strict=True))
    begins, stops, moves = found.begins.tolist(), found.stops.tolist(), found.moves.tolist()
    judged = []
    for row, (begin, end) in enumerate(pairwise(ends)):
        other = end - n_heads - 1
        terms = [text[start:stop] for start, stop in zip(begins[row], stops[row], strict=True) if stop]
        judged.append(Judgement(known[row], scored[begin:other], places[row], scored[other], scored[other + 1 : end], terms, moves[row][: len(terms)]))
    return judged
