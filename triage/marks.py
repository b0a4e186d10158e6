"""The words of the guards in a batch of letters, compiled. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.compiled import compiled
from triage.guards import REACH
from triage.tree import longest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.tree import Slots

    Marks = NDArray[np.int32]

# What a character may be: one that stands inside a word, the end of a clause, the first of a word, the first of a unit.
FILL, CLAUSE_END, BEGINS_WORD, BEGINS_UNIT = 1, 2, 4, 8
TELLS, BLAMES = 1, 2  # why a letter is worth a closer look: by itself, or if it names a unit
QUALIFIES, SPARES = 4, 8  # words that count away from units too: in a letter that tells, or for the units of their clause


class Table(NamedTuple):
    """What to look for.

    ``words`` and ``units`` are trees (``triage.tree``); the units are numbered on after the words. ``asks`` says of each word what it is a
    reason for, ``kinds`` what each character of the basic plane is, as the sum of what it may be.
    """

    words: Slots
    units: Slots
    asks: NDArray[np.uint8]
    kinds: NDArray[np.uint8]


@compiled
def _squeezed(codes: NDArray[np.uint32], kinds: NDArray[np.uint8], out: NDArray[np.uint32], clauses: Marks) -> int:
    """Write the characters but for the fill, and the number of the clause of each; returns how many there are."""
    n = clause = 0
    for i in range(len(codes)):
        kind = kinds[codes[i]] if codes[i] < len(kinds) else 0
        if not kind & FILL:
            clause += kind & CLAUSE_END != 0
            out[n], clauses[n] = codes[i], clause
            n += 1
    return n


@compiled
def _find(codes: NDArray[np.uint32], clauses: Marks, tree: Slots, kinds: NDArray[np.uint8], out: Marks, where: tuple[int, int, int]) -> int:
    """Write the words met, each the longest at its place; returns how many marks there are now.

    ``where``: the kind of the characters that they begin with, the number of the first of them, and how many marks there are already.
    """
    (begins, first, n), at = where, 0
    while at < len(codes):
        if codes[at] < len(kinds) and not kinds[codes[at]] & begins:  # as most
            at += 1
            continue
        word, stop = longest(codes, at, tree)
        if word:
            out[n, 0], out[n, 1], out[n, 2], out[n, 3] = at, stop, first + word - 1, clauses[at]
            n += 1
        at = stop if word else at + 1
    return n


@compiled
def _kept(out: Marks, places: tuple[int, int, int], asks: NDArray[np.uint8], anywhere: int) -> int:
    """Drop the words that do not say something ``anywhere`` and have no unit near; returns where the marks end now.

    Words begin at the first of ``places``, units at the second, and end at the third.
    """
    first, units, end = places
    n, unit = first, units
    for mark in range(first, end):
        begin = out[mark, 0]
        while mark < units and unit < end and out[unit, 1] < begin - REACH:
            unit += 1
        if mark >= units or asks[out[mark, 2]] & anywhere or (unit < end and out[unit, 0] <= begin + REACH):
            out[n] = out[mark]
            n += 1
    return n


@compiled
def marked(
    codes: NDArray[np.uint32],
    bounds: NDArray[np.int64],
    words: Slots,
    units: Slots,
    asks: NDArray[np.uint8],
    kinds: NDArray[np.uint8],
) -> tuple[Marks, NDArray[np.int64]]:
    """The words, and the units where one of them blames, of each letter ``codes[bounds[i]:bounds[i + 1]]`` that is worth a closer look.

    Marks are rows of where one begins and ends in the letter without its fill, which word it is, and in which clause; those of letter ``i``
    begin at the ``i``-th of the places returned beside them.
    """
    out, places, n = np.empty((2 * len(codes), 4), np.int32), np.zeros(len(bounds), np.int64), 0
    room, clauses = np.empty(len(codes), np.uint32), np.empty(len(codes), np.int32)
    for row in range(len(bounds) - 1):
        squeezed = room[: _squeezed(codes[bounds[row] : bounds[row + 1]], kinds, room, clauses)]
        first, asked = n, 0
        blamed = n = _find(squeezed, clauses, words, kinds, out, (BEGINS_WORD, 0, n))
        for mark in range(first, n):
            asked |= asks[out[mark, 2]]
        if asked & BLAMES:
            n = _find(squeezed, clauses, units, kinds, out, (BEGINS_UNIT, len(asks), n))
        anywhere = SPARES | (QUALIFIES if asked & TELLS else 0)
        places[row + 1] = n = _kept(out, (first, blamed, n), asks, anywhere) if n > blamed or asked & TELLS else first
    return out[:n], places
