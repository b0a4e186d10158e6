"""The words of the guards in a batch of letters, compiled. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.compiled import compiled
from triage.tree import longest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.tree import Slots

FILL, CLAUSE_END = 1, 2  # what a character is: one that may stand inside a word, or the end of a clause
TELLS, BLAMES = 1, 2  # why a letter is worth a closer look: by itself, or if it names a unit


class Table(NamedTuple):
    """What to look for.

    ``words`` and ``units`` are trees (``triage.tree``); unit ``i`` is found as word ``n_words + i``. ``asks`` says of each word what it is a
    reason for, ``kinds`` what each character of the basic plane is.
    """

    words: Slots
    units: Slots
    n_words: int
    asks: NDArray[np.uint8]
    kinds: NDArray[np.uint8]


class Marked(NamedTuple):
    """What was found: which word, in which clause, from where to where in the letter without its fill; letter ``i`` has those from ``bounds[i]``."""

    words: NDArray[np.int64]
    clauses: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    bounds: NDArray[np.int64]


@compiled
def _squeezed(codes: NDArray[np.uint32], kinds: NDArray[np.uint8], clauses: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The characters but for the fill; ``clauses`` is filled with the number of the clause of each."""
    out, n, clause = np.empty(len(codes), np.uint32), 0, 0
    for i in range(len(codes)):
        kind = kinds[codes[i]] if codes[i] < len(kinds) else 0
        if kind != FILL:
            clause += kind == CLAUSE_END
            out[n], clauses[n] = codes[i], clause
            n += 1
    return out[:n]


@compiled
def _find(codes: NDArray[np.uint32], clauses: NDArray[np.int64], tree: Slots, first: int, out: Marked, n: int) -> int:
    """Write the words met, each the longest at its place; returns how many there are now."""
    at = 0
    while at < len(codes):
        word, stop = longest(codes, at, tree)
        if word:
            out.words[n], out.clauses[n], out.begins[n], out.ends[n] = first + word - 1, clauses[at], at, stop
            n += 1
        at = stop if word else at + 1
    return n


@compiled
def marked(codes: NDArray[np.uint32], bounds: NDArray[np.int64], table: Table) -> Marked:
    """The words, and the units where one of them blames, of each letter ``codes[bounds[i]:bounds[i + 1]]`` that is worth a closer look."""
    size = 2 * len(codes)
    out = Marked(np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64), np.zeros(len(bounds), np.int64))
    clauses, n = np.empty(len(codes), np.int64), 0
    for row in range(len(bounds) - 1):
        squeezed = _squeezed(codes[bounds[row] : bounds[row + 1]], table.kinds, clauses)
        first, asked = n, 0
        n = _find(squeezed, clauses, table.words, 0, out, n)
        for mark in range(first, n):
            asked |= table.asks[out.words[mark]]
        blamed = n
        if asked & BLAMES:
            n = _find(squeezed, clauses, table.units, table.n_words, out, n)
        if n == blamed and not asked & TELLS:
            n = first
        out.bounds[row + 1] = n
    return Marked(out.words[:n], out.clauses[:n], out.begins[:n], out.ends[:n], out.bounds)
