"""One compiled call from words to all that a decision needs of the model. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from models.choice import choose
from models.compiled import compiled
from models.kernel import read, units
from models.terms import Asked, behind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.classifier import Curves
    from models.kernel import Known
    from models.weights import Weights


class Question(NamedTuple):
    """A model and what it is asked: which head, ``groups`` (n_labels,) of its labels that ask for the same act, and how many terms are told at most."""

    known: Known
    weights: Weights
    curves: Curves
    head: int
    groups: NDArray[np.int64]
    limit: int


class Judged(NamedTuple):
    """Of each letter: the share of its pairs of characters that are known, the probabilities of all heads, the label to act on and the next one.

    And the terms behind the label: ``spans`` (n_letters, limit, 2) where in the codes they begin and end, 0 for none; ``moves`` (n_letters, limit)
    how far they moved its log-odds.
    """

    known: NDArray[np.float32]
    chances: NDArray[np.float32]
    choice: NDArray[np.int64]
    spans: NDArray[np.int32]
    moves: NDArray[np.float64]


@compiled
def judge(words: tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int64]], question: Question) -> Judged:
    """What the model says of every letter, and why."""
    (codes, starts, letters), curves = words, question.curves
    rows, margins, chances = read(codes, starts, letters, question.known, question.weights, curves)
    first, last = curves.firsts[question.head], curves.firsts[question.head + 1]
    choice = choose(chances[:, first:last].copy(), question.groups)
    worth = units(margins[:, first:last].copy(), curves.scales[question.head], curves.powers[question.head])
    terms = behind(codes, rows, Asked(question.weights, first + choice[:, 0], worth), question.limit)
    return Judged(rows.known, chances, choice, terms.spans, terms.moves)
