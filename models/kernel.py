"""The compiled part of the classifier: n-grams of a batch of letters, their features, the margins, and the terms behind a margin.

One letter after another, each the same alone and in any batch. Import it late: it needs numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.ahead import fetch
from models.compiled import compiled
from models.lookup import AHEAD, GOLDEN, find
from models.weights import LINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.classifier import Curves
    from models.lookup import Keys, Known, Places
    from models.weights import Weights

BLANK = 0x20
BITS = np.uint64(21)  # a code point fits in 21 bits, three of them in 63
WORD_BIT = np.uint64(1 << 63)
PAIRS, TRIPLES = np.uint64(1 << 21), np.uint64(1 << 42)  # keys of two characters lie between
COUNTS = np.log(np.arange(1, 257), dtype=np.float32) + np.float32(1)  # sublinear: 1 + ln of 1, 2, ...; most n-grams of a letter stand there once
CHARACTER_WEIGHT = 1.5  # length of a letter's characters against 1 for its words; 0.7 to 3 were tried (docs/decisions.md)


class Found(NamedTuple):
    """N-grams of a batch: which, and where in its codes each begins and ends; those of letter ``i`` from ``bounds[i]``."""

    keys: Keys
    begins: Places
    ends: Places
    bounds: NDArray[np.int64]


@compiled
def _mix(value: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def _word(codes: NDArray[np.uint32], begin: int, end: int) -> np.uint64:
    """The hash of a word: of the sum of its characters' hashes, each with its place."""
    total = np.uint64(0)
    for at in range(begin, end):
        total += _mix(np.uint64(codes[at]) + (np.uint64(at - begin) << BITS))
    return _mix(total)


@compiled
def _characters(codes: NDArray[np.uint32], begin: int, end: int, found: Found, n: int) -> int:
    """Write the n-grams of 1 to 3 characters; returns how many there are now."""
    for at in range(begin, end):
        key = np.uint64(0)
        for last in range(at, min(at + 3, end)):
            if codes[last] == BLANK:
                break
            key = (key << BITS) | np.uint64(codes[last])
            found.keys[n], found.begins[n], found.ends[n] = key, at, last + 1
            n += 1
    return n


@compiled
def _words(codes: NDArray[np.uint32], starts: Places, span: tuple[int, int], found: Found, n: int) -> int:
    """Write the words and their pairs; returns how many n-grams there are now."""
    before = np.uint64(0)
    for word in range(span[0], span[1]):
        begin, end = starts[word], starts[word + 1]
        here = np.uint64(0)
        if codes[begin] != BLANK:
            here = _word(codes, begin, end)
            found.keys[n], found.begins[n], found.ends[n] = here | WORD_BIT, begin, end
            n += 1
            if before:
                found.keys[n], found.begins[n], found.ends[n] = _mix(before * GOLDEN + here) | WORD_BIT, starts[word - 1], end
                n += 1
        before = here
    return n


@compiled
def _room(size: int, n_letters: int) -> Found:
    return Found(np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.int32), np.zeros(n_letters + 1, np.int64))


@compiled
def grams(codes: NDArray[np.uint32], starts: Places, letters: NDArray[np.int64]) -> Found:
    """The n-grams of every letter, characters before words."""
    found = _room(3 * len(codes) + 2 * len(starts), len(letters) - 1)
    n = 0
    for row in range(len(letters) - 1):
        n = _characters(codes, starts[letters[row]], starts[letters[row + 1]], found, n)
        n = _words(codes, starts, (letters[row], letters[row + 1]), found, n)
        found.bounds[row + 1] = n
    return Found(found.keys[:n], found.begins[:n], found.ends[:n], found.bounds)


class Rows(NamedTuple):
    """Compressed sparse rows: see ``models.features.Matrix``."""

    indptr: NDArray[np.int64]
    columns: Places
    values: NDArray[np.float32]
    spans: Places
    known: NDArray[np.float32]


@compiled
def _counted(found: Found, columns: Places, tally: Places, out: Rows, n: int) -> int:
    """Count each column of a letter in ``out.values``, in the order in which they are met; returns where the letter ends in ``out``."""
    size = 16
    while size < 2 * len(columns):
        size *= 2
    tally[:size] = 0
    for i in range(len(columns)):
        if columns[i] < 0:
            continue
        at = ((np.uint64(columns[i]) * GOLDEN) >> np.uint64(40)) & np.uint64(size - 1)
        while tally[at] and out.columns[tally[at] - 1] != columns[i]:
            at = (at + np.uint64(1)) & np.uint64(size - 1)
        if tally[at]:
            out.values[tally[at] - 1] += 1
        else:
            out.columns[n], out.values[n], out.spans[n, 0], out.spans[n, 1] = columns[i], 1, found.begins[i], found.ends[i]
            n += 1
            tally[at] = n
    return n


@compiled
def _weighted(known: Known, out: Rows, begin: int, end: int) -> None:
    """(1 + ln count) x idf, then characters and words brought to their lengths."""
    middle = begin
    while middle < end and out.columns[middle] < known.first_word:
        middle += 1
    for first, last, length in ((begin, middle, CHARACTER_WEIGHT), (middle, end, 1.0)):
        total = 0.0
        for i in range(first, last):
            count = np.int64(out.values[i])
            out.values[i] = (COUNTS[count - 1] if count <= len(COUNTS) else 1.0 + np.log(count)) * known.idf[out.columns[i]]
            total += np.float64(out.values[i]) * out.values[i]
        out.values[first:last] *= length / max(np.sqrt(total), 1e-12)


@compiled
def _share_known(keys: Keys, columns: Places) -> float:
    """The share of a letter's pairs of characters that the vocabulary holds."""
    pairs = hits = 0
    for i in range(len(keys)):
        is_pair = (keys[i] >= PAIRS) & (keys[i] < TRIPLES)
        pairs, hits = pairs + is_pair, hits + (is_pair & (columns[i] >= 0))
    return hits / max(1, pairs)


@compiled
def rows(codes: NDArray[np.uint32], starts: Places, letters: NDArray[np.int64], known: Known) -> Rows:
    """Sublinear TF-IDF of every letter. One letter's n-grams at a time stand in the nearest memory."""
    n_letters, longest = len(letters) - 1, 0
    size = 3 * (starts[letters[-1]] - starts[letters[0]]) + 2 * (letters[-1] - letters[0])
    for row in range(n_letters):
        longest = max(longest, 3 * (starts[letters[row + 1]] - starts[letters[row]]) + 2 * (letters[row + 1] - letters[row]))
    out = Rows(
        np.zeros(n_letters + 1, np.int64),
        np.empty(size, np.int32),
        np.empty(size, np.float32),
        np.empty((size, 2), np.int32),
        np.zeros(n_letters, np.float32),
    )
    found, columns, tally, end = _room(longest, 1), np.empty(longest, np.int32), np.empty(max(16, 4 * longest), np.int32), 0
    for row in range(n_letters):
        n = _characters(codes, starts[letters[row]], starts[letters[row + 1]], found, 0)
        n = _words(codes, starts, (letters[row], letters[row + 1]), found, n)
        find(found.keys[:n], known, columns)
        end = _counted(found, columns[:n], tally, out, end)
        _weighted(known, out, out.indptr[row], end)
        out.indptr[row + 1], out.known[row] = end, _share_known(found.keys[:n], columns)
    return Rows(out.indptr, out.columns[:end], out.values[:end], out.spans[:end], out.known)


@compiled
def _margins(at: Rows, weights: Weights) -> NDArray[np.float32]:
    """Rows x weights + intercepts (n_letters, n_outputs), each summed in the order of its letter's columns, whose weights are asked for some while before."""
    out = np.empty((len(at.indptr) - 1, len(weights.units)), np.float32)
    total = np.empty(weights.steps.shape[1], np.float32)
    for row in range(len(out)):
        total[:] = 0
        for i in range(at.indptr[row], at.indptr[row + 1]):
            for first in range(0, len(total) if i + AHEAD < len(at.columns) else 0, LINE):
                fetch(weights.steps, at.columns[i + AHEAD] * len(total) + first)
            column, value = at.columns[i], at.values[i]
            for output in range(len(total)):
                total[output] += value * np.float32(weights.steps[column, output])
        for output in range(len(weights.units)):
            out[row, output] = total[output] * weights.units[output] + weights.intercepts[output]
    return out


@compiled
def units(margins: NDArray[np.float32], scale: float, power: float) -> NDArray[np.float32]:
    """What one unit of each letter's margins is worth: scale / (their spread over the labels) ** power."""
    out = np.empty(len(margins), np.float32)
    for row in range(len(margins)):
        mean = spread = 0.0
        for margin in margins[row]:
            mean += margin / margins.shape[1]
        for margin in margins[row]:
            spread += (margin - mean) ** 2 / margins.shape[1]
        out[row] = scale / max(np.sqrt(spread), 1e-6) ** power
    return out


@compiled
def probabilities(margins: NDArray[np.float32], units: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax of each row of margins in these units."""
    out = np.empty(margins.shape, np.float32)
    for row in range(len(margins)):
        most, total = margins[row].max(), 0.0
        for label in range(margins.shape[1]):
            out[row, label] = np.exp((margins[row, label] - most) * units[row])
            total += out[row, label]
        for label in range(margins.shape[1]):
            out[row, label] /= total
    return out


@compiled
def read(
    codes: NDArray[np.uint32], starts: Places, letters: NDArray[np.int64], known: Known, weights: Weights, curves: Curves
) -> tuple[Rows, NDArray[np.float32], NDArray[np.float32]]:
    """Features, margins and probabilities of every letter; each head's probabilities stand where its margins do."""
    found = rows(codes, starts, letters, known)
    margin = _margins(found, weights)
    chances = np.empty_like(margin)
    for head in range(len(curves.scales)):
        of_head = margin[:, curves.firsts[head] : curves.firsts[head + 1]].copy()
        chances[:, curves.firsts[head] : curves.firsts[head + 1]] = probabilities(of_head, units(of_head, curves.scales[head], curves.powers[head]))
    return found, margin, chances
