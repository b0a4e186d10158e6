"""One compiled call from words to all that a decision needs of the model. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.choice import choose, likely
from models.compiled import compiled
from models.kernel import read, units
from models.terms import Asked, behind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.classifier import Curves
    from models.lookup import Known
    from models.weights import Weights


class Question(NamedTuple):
    """A model and what it is asked: which head, ``groups`` (n_labels,) of its labels that ask for the same act.

    ``floor``: the probability from which a label is a candidate; ``limit``: how many terms are told at most.
    """

    known: Known
    weights: Weights
    curves: Curves
    head: int
    groups: NDArray[np.int64]
    floor: float
    limit: int


class Judged(NamedTuple):
    """Of each letter: the share of its pairs of characters that are known, and the scores and terms that count.

    Scores are ``labels`` with their ``chances``, probabilities to four digits. Letter ``i`` has those from ``ends[i]`` to before ``ends[i + 1]``:
    its candidates, likeliest first, of which the one at ``places[i]`` is to be acted on; then the likeliest other label than this; then
    each head's likeliest. ``begins`` and ``stops`` (n_letters, limit) say where in the codes the terms behind the label stand, 0 for none;
    ``moves`` (n_letters, limit) how far they moved its log-odds.
    """

    known: NDArray[np.float32]
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]
    chances: NDArray[np.float64]
    places: NDArray[np.int64]
    begins: NDArray[np.int32]
    stops: NDArray[np.int32]
    moves: NDArray[np.float64]


@compiled
def _room(n_letters: int, most: int, limit: int) -> Judged:
    return Judged(
        np.empty(n_letters, np.float32),
        np.zeros(n_letters + 1, np.int64),
        np.empty(n_letters * most, np.int64),
        np.empty(n_letters * most, np.float64),
        np.empty(n_letters, np.int64),
        np.empty((n_letters, limit), np.int32),
        np.empty((n_letters, limit), np.int32),
        np.empty((n_letters, limit)),
    )


@compiled
def _scores(
    chances: NDArray[np.float32], question: Question, choice: NDArray[np.int64], labels: NDArray[np.int64], told: NDArray[np.float64]
) -> tuple[int, int]:
    """Write a letter's scores; returns how many there are, and the place of the label to act on."""
    firsts = question.curves.firsts
    first = firsts[question.head]
    n = likely(chances[first : firsts[question.head + 1]], question.floor, choice[0], labels)
    place = 0
    for i in range(n):
        told[i] = chances[first + labels[i]]
        place = i if labels[i] == choice[0] else place
    labels[n], told[n] = choice[1], chances[first + choice[1]]
    for head in range(len(firsts) - 1):
        labels[n + 1 + head] = np.argmax(chances[firsts[head] : firsts[head + 1]])
        told[n + 1 + head] = chances[firsts[head] + labels[n + 1 + head]]
    return n + len(firsts), place


@compiled
def judge(words: tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int64]], question: Question) -> Judged:
    """What the model says of every letter, and why: one letter after the other, whose n-grams and weights are then still in the nearest memory."""
    (codes, starts, letters), weights, curves, head = words, question.weights, question.curves, question.head
    first, last, end = curves.firsts[head], curves.firsts[head + 1], 0
    out = _room(len(letters) - 1, last - first + len(curves.firsts), question.limit)
    for row in range(len(letters) - 1):
        rows, margins, chances = read(codes, starts, letters[row : row + 2], question.known, weights, curves)
        choice = choose(chances[:, first:last].copy(), question.groups)
        worth = units(margins[:, first:last].copy(), curves.scales[head], curves.powers[head])
        terms = behind(codes, rows, Asked(weights, first + choice[:, 0], worth), question.limit)
        n, out.places[row] = _scores(chances[0], question, choice[0], out.labels[end:], out.chances[end:])
        end += n
        out.known[row], out.ends[row + 1] = rows.known[0], end
        out.begins[row], out.stops[row], out.moves[row] = terms.spans[0, :, 0], terms.spans[0, :, 1], terms.moves[0]
    np.round(out.chances[:end], 4, out.chances[:end])
    return Judged(out.known, out.ends, out.labels[:end], out.chances[:end], out.places, out.begins, out.stops, out.moves)
