"""The compiled search for the terms behind a score. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.kernel import Rows
    from models.weights import Weights

    Spans = NDArray[np.int32]

LEAST = float(np.finfo(np.float32).smallest_subnormal)  # of what moved at all


class Asked(NamedTuple):
    """What is asked of each letter: an output of ``weights``, and what one unit of its margin is worth."""

    weights: Weights
    outputs: NDArray[np.int64]
    units: NDArray[np.float32]


class Terms(NamedTuple):
    """Terms of each letter, the strongest first: where they begin and end (n_letters, limit, 2), and how far they moved the score (n_letters, limit); 0 for none."""

    spans: Spans
    moves: NDArray[np.float64]


@compiled
def _strongest(moves: NDArray[np.float32], sign: float, limit: int) -> NDArray[np.int64]:
    """The places of the strongest moves of one sign, the strongest first; of equal ones the last, which is the longest."""
    best, n, least = np.empty(limit + 1, np.int64), 0, LEAST
    for i in range(len(moves)):
        if sign * moves[i] < least:  # as most do
            continue
        at = n
        while at > 0 and sign * moves[i] >= sign * moves[best[at - 1]]:
            best[at] = best[at - 1]
            at -= 1
        best[at] = i
        n = min(n + 1, limit)
        least = sign * moves[best[n - 1]] if n == limit else LEAST
    return best[:n]


@compiled
def _holds(codes: NDArray[np.uint32], one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether the first term has the second within it."""
    size = other[1] - other[0]
    for begin in range(one[0], one[1] - size + 1):
        same = 0
        while same < size and codes[begin + same] == codes[other[0] + same]:
            same += 1
        if same == size:
            return True
    return False


@compiled
def _merge(codes: NDArray[np.uint32], places: Spans, moves: NDArray[np.float32], order: NDArray[np.int64]) -> Terms:
    """Terms of one sign, each with those that it holds or that hold it, the strongest first."""
    spans, total, n = np.empty((len(order), 2), np.int32), np.zeros(len(order)), 0
    for i in order:
        begin, end = places[i, 0], places[i, 1]
        host = 0
        while host < n and not (_holds(codes, (spans[host, 0], spans[host, 1]), (begin, end)) or _holds(codes, (begin, end), (spans[host, 0], spans[host, 1]))):
            host += 1
        if host == n:
            spans[n, 0], spans[n, 1] = begin, end
            n += 1
        total[host] += moves[i]
    _sort(spans, total, n)
    return Terms(spans[:n], total[:n])


@compiled
def _sort(spans: Spans, moves: NDArray[np.float64], n: int) -> None:
    """The strongest first; of equal ones the one that stood first."""
    for i in range(1, n):
        begin, end, move, at = spans[i, 0], spans[i, 1], moves[i], i
        while at > 0 and abs(moves[at - 1]) < abs(move):
            spans[at, 0], spans[at, 1], moves[at] = spans[at - 1, 0], spans[at - 1, 1], moves[at - 1]
            at -= 1
        spans[at, 0], spans[at, 1], moves[at] = begin, end, move


@compiled
def _told(speaking: Terms, against: Terms, spans: Spans, moves: NDArray[np.float64]) -> None:
    """The strongest of both, a quarter of them those against."""
    n_against = min(len(against.moves), len(moves) // 4)
    n_speaking = min(len(speaking.moves), len(moves) - n_against)
    i = j = 0
    for at in range(n_speaking + n_against):
        if j == n_against or (i < n_speaking and speaking.moves[i] >= -against.moves[j]):
            spans[at, 0], spans[at, 1], moves[at] = speaking.spans[i, 0], speaking.spans[i, 1], speaking.moves[i]
            i += 1
        else:
            spans[at, 0], spans[at, 1], moves[at] = against.spans[j, 0], against.spans[j, 1], against.moves[j]
            j += 1


@compiled
def behind(codes: NDArray[np.uint32], at: Rows, asked: Asked, limit: int) -> Terms:
    """The terms of each letter that moved the score asked for most, either way."""
    n_letters = len(at.indptr) - 1
    out = Terms(np.zeros((n_letters, limit, 2), np.int32), np.zeros((n_letters, limit)))
    for row in range(n_letters):
        begin, end, output = at.indptr[row], at.indptr[row + 1], asked.outputs[row]
        unit = asked.weights.units[output] * asked.units[row]
        moves = np.empty(end - begin, np.float32)
        for i in range(begin, end):
            moves[i - begin] = at.values[i] * asked.weights.steps[at.columns[i], output] * unit
        speaking = _merge(codes, at.spans[begin:end], moves, _strongest(moves, 1.0, 2 * limit))
        against = _merge(codes, at.spans[begin:end], moves, _strongest(moves, -1.0, limit))
        _told(speaking, against, out.spans[row], out.moves[row])
    np.round(out.moves, 3, out.moves)
    return out
