"""One compiled call from words to all that a decision needs of the model. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.choice import choose
from models.compiled import compiled
from models.kernel import read, units
from models.terms import Asked, behind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.classifier import Curves
    from models.lookup import Known
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
def _room(n_letters: int, n_outputs: int, limit: int) -> Judged:
    return Judged(
        np.empty(n_letters, np.float32),
        np.empty((n_letters, n_outputs), np.float32),
        np.empty((n_letters, 2), np.int64),
        np.empty((n_letters, limit, 2), np.int32),
        np.empty((n_letters, limit)),
    )


@compiled
def judge(words: tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int64]], question: Question) -> Judged:
    """What the model says of every letter, and why: one letter after the other, whose n-grams and weights are then still in the nearest memory."""
    (codes, starts, letters), (known, weights, curves, head, groups, limit) = words, question
    first, last = curves.firsts[head], curves.firsts[head + 1]
    out = _room(len(letters) - 1, len(weights.units), limit)
    for row in range(len(letters) - 1):
        rows, margins, chances = read(codes, starts, letters[row : row + 2], known, weights, curves)
        choice = choose(chances[:, first:last].copy(), groups)
        worth = units(margins[:, first:last].copy(), curves.scales[head], curves.powers[head])
        terms = behind(codes, rows, Asked(weights, first + choice[:, 0], worth), limit)
        out.known[row], out.chances[row], out.choice[row] = rows.known[0], chances[0], choice[0]
        out.spans[row], out.moves[row] = terms.spans[0], terms.moves[0]
    return out
