"""The compiled search for the terms behind a score. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.kernel import Rows
    from models.weights import Weights


class Asked(NamedTuple):
    """What is asked of each letter: an output of ``weights``, and what one unit of its margin is worth."""

    weights: Weights
    outputs: NDArray[np.int64]
    units: NDArray[np.float32]


class Terms(NamedTuple):
    """Terms of each letter (n_letters, limit), the strongest first: where they begin and end, and how far they moved the score; 0 for none."""

    begins: NDArray[np.int32]
    ends: NDArray[np.int32]
    moves: NDArray[np.float64]


@compiled
def _strongest(moves: NDArray[np.float32], sign: float, limit: int) -> NDArray[np.int64]:
    """The places of the strongest moves of one sign, the strongest first; of equal ones the last, which is the longest."""
    best, n = np.empty(limit + 1, np.int64), 0
    for i in range(len(moves)):
        if sign * moves[i] > 0 and (n < limit or sign * moves[i] >= sign * moves[best[n - 1]]):
            at = n
            while at > 0 and sign * moves[i] >= sign * moves[best[at - 1]]:
                best[at] = best[at - 1]
                at -= 1
            best[at] = i
            n = min(n + 1, limit)
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
def _merge(codes: NDArray[np.uint32], places: tuple[NDArray[np.int32], NDArray[np.int32]], moves: NDArray[np.float32], order: NDArray[np.int64]) -> Terms:
    """Terms of one sign, each with those that it holds or that hold it, the strongest first."""
    begins, ends, total, n = np.empty(len(order), np.int32), np.empty(len(order), np.int32), np.zeros(len(order)), 0
    for i in order:
        term = (places[0][i], places[1][i])
        host = 0
        while host < n and not (_holds(codes, (begins[host], ends[host]), term) or _holds(codes, term, (begins[host], ends[host]))):
            host += 1
        if host == n:
            begins[n], ends[n] = term
            n += 1
        total[host] += moves[i]
    order = np.argsort(-np.abs(total[:n]), kind="mergesort")
    return Terms(begins[:n][order], ends[:n][order], total[:n][order])


@compiled
def _told(speaking: Terms, against: Terms, out: Terms, row: int) -> None:
    """The strongest of both, a quarter of them those against, into a row."""
    limit = out.moves.shape[1]
    n_against = min(len(against.moves), limit // 4)
    n_speaking = min(len(speaking.moves), limit - n_against)
    i = j = 0
    for at in range(n_speaking + n_against):
        if j == n_against or (i < n_speaking and speaking.moves[i] >= -against.moves[j]):
            out.begins[row, at], out.ends[row, at], out.moves[row, at] = speaking.begins[i], speaking.ends[i], speaking.moves[i]
            i += 1
        else:
            out.begins[row, at], out.ends[row, at], out.moves[row, at] = against.begins[j], against.ends[j], against.moves[j]
            j += 1


@compiled
def behind(codes: NDArray[np.uint32], at: Rows, asked: Asked, limit: int) -> Terms:
    """The terms of each letter that moved the score asked for most, either way."""
    n_letters = len(at.indptr) - 1
    out = Terms(np.zeros((n_letters, limit), np.int32), np.zeros((n_letters, limit), np.int32), np.zeros((n_letters, limit)))
    for row in range(n_letters):
        begin, end, output = at.indptr[row], at.indptr[row + 1], asked.outputs[row]
        unit = asked.weights.units[output] * asked.units[row]
        moves = np.empty(end - begin, np.float32)
        for i in range(begin, end):
            moves[i - begin] = at.values[i] * asked.weights.steps[at.columns[i], output] * unit
        places = (at.begins[begin:end], at.ends[begin:end])
        speaking = _merge(codes, places, moves, _strongest(moves, 1.0, 2 * limit))
        against = _merge(codes, places, moves, _strongest(moves, -1.0, limit))
        _told(speaking, against, out, row)
    np.round(out.moves, 3, out.moves)
    return out
