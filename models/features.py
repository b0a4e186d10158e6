"""Tokens to TF-IDF: word 1-2-grams and character 1-3-grams, for a whole batch at once.

No n-gram is built as a Python string. A batch becomes one array of code points; a word is the hash of its span, an n-gram
of characters is the characters themselves packed into 63 bits, and every key is found in the vocabulary by one sorted look-up.
Words and characters are scaled apart before they stand side by side: one joint norm lets the many character
n-grams drown the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BREAK = " "
CHARACTER_WEIGHT = 1.5  # length of a letter's characters against 1 for its words; 0.7 to 3 were tried (docs/decisions.md)
_BITS = np.uint64(21)  # a code point fits in 21 bits, three of them in 63
WORD_BIT = np.uint64(1 << 63)
_PAIRS = np.array([1 << 21, 1 << 42], np.uint64)  # keys of two characters lie between
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, The Art of Computer Programming 3, 6.4)


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of a batch: three arrays of the same length, in the order of the letters.

    ``keys`` (uint64) say which n-gram, ``rows`` (int64) which letter, ``starts`` and ``ends`` (int64) where it stands in ``text``.
    """

    keys: NDArray[np.uint64]
    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    text: str

    def term(self, index: int) -> str:
        """The n-gram as it reads; the two words of a pair have a blank between them only where the caller puts it."""
        return self.text[self.starts[index] : self.ends[index]]


def grams(batch: Sequence[Sequence[str]]) -> Grams:
    """Every word 1-2-gram and character 1-3-gram of every letter; none crosses a break or a letter's end.

    >>> found = grams([["拖欠", "工资"]])
    >>> sorted({found.term(i) for i in range(len(found.keys))})
    ['工', '工资', '拖', '拖欠', '拖欠工', '拖欠工资', '欠', '欠工', '欠工资', '资']
    """
    flat = [token for tokens in batch for token in (*tokens, BREAK)]
    lengths = np.fromiter(map(len, flat), np.int64, len(flat))
    text = "".join(flat)
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    per_letter = np.array([len(tokens) + 1 for tokens in batch], dtype=np.int64)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    word_rows = np.repeat(np.arange(len(batch)), per_letter)
    parts = [*_word_grams(codes, starts, ends, word_rows), *_character_grams(codes, np.repeat(word_rows, lengths))]
    keys, rows, begin, end = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Grams(keys, rows, begin, end, text)


_Part = tuple["NDArray[np.uint64]", "NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"]


def _word_grams(codes: NDArray[np.uint64], starts: NDArray[np.int64], ends: NDArray[np.int64], rows: NDArray[np.int64]) -> list[_Part]:
    if not len(starts):
        empty = np.empty(0, np.int64)
        return [(empty.astype(np.uint64), empty, empty, empty)]
    positions = (np.arange(len(codes)) - np.repeat(starts, ends - starts)).astype(np.uint64)
    hashes = _mix(np.add.reduceat(_mix(codes + (positions << _BITS)), starts))
    real = codes[starts] != ord(BREAK)
    pairs = np.flatnonzero(real[:-1] & real[1:])
    doubled = _mix(hashes[pairs] * _MULTIPLIER + hashes[pairs + 1])
    return [
        (hashes[real] | WORD_BIT, rows[real], starts[real], ends[real]),
        (doubled | WORD_BIT, rows[pairs], starts[pairs], ends[pairs + 1]),
    ]


def _character_grams(codes: NDArray[np.uint64], rows: NDArray[np.int64]) -> list[_Part]:
    parts: list[_Part] = []
    real = codes != ord(BREAK)
    keys, fits = codes, real
    for size in (1, 2, 3):
        at = np.flatnonzero(fits)
        parts.append((keys[at], rows[at], at, at + size))
        keys = (keys[:-1] << _BITS) | codes[size:]
        fits = fits[:-1] & real[size:]
    return parts


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Matrix:
    """TF-IDF of a batch as compressed sparse rows: letter ``i`` owns ``indptr[i]:indptr[i + 1]`` of the other two arrays.

    ``columns`` are positions in the vocabulary, ascending within a letter; ``values`` (float32) have length 1 over the words of a
    letter and length ``CHARACTER_WEIGHT`` over its characters. ``first`` says at which of the batch's ``Grams`` each column was first met.
    ``known`` (n_letters,) is the share of a letter's pairs of characters that the vocabulary holds; low means unreadable.
    """

    indptr: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]
    first: NDArray[np.int64]
    known: NDArray[np.float32]

    def letter(self, row: int) -> slice:
        """Where letter ``row`` stands in ``columns`` and ``values``."""
        return slice(int(self.indptr[row]), int(self.indptr[row + 1]))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The n-grams that a model knows: ``keys`` (uint64, ascending; words after characters) and their ``idf`` (float32)."""

    keys: NDArray[np.uint64]
    idf: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The column of every key, -1 where the vocabulary lacks it."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        columns = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[columns] == keys, columns, -1)

    def matrix(self, found: Grams, n_letters: int) -> Matrix:
        """Sublinear TF-IDF, (1 + ln count) x idf, words and characters scaled apart."""
        order = np.argsort(found.rows, kind="stable")
        ends = np.searchsorted(found.rows, np.arange(n_letters + 1), sorter=order)
        parts = [self._letter(found, order[start:end]) for start, end in pairwise(ends)]
        indptr = np.cumsum([0, *(len(part[0]) for part in parts)])
        columns, values, first = (np.concatenate([np.empty(0, kind), *(part[i] for part in parts)]) for i, kind in enumerate((np.int64, np.float32, np.int64)))
        return Matrix(indptr, columns, values, first, np.array([part[3] for part in parts], np.float32))

    def _letter(self, found: Grams, mine: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], float]:
        """Columns, values, first places and known share of one letter, whose n-grams stand at ``mine``."""
        mine = mine[np.argsort(found.keys[mine])]
        keys = found.keys[mine]
        is_new = np.ones(len(keys), bool)
        np.not_equal(keys[1:], keys[:-1], out=is_new[1:])
        new = np.flatnonzero(is_new)
        keys, first, counts = keys[new], mine[new], np.diff(new, append=len(keys))
        columns = self.find(keys)
        pairs = slice(*np.searchsorted(keys, _PAIRS))
        known = counts[pairs][columns[pairs] >= 0].sum() / max(1, counts[pairs].sum())
        hit = columns >= 0
        columns, values = columns[hit], (1 + np.log(counts[hit])) * self.idf[columns[hit]]
        words = int(np.searchsorted(columns, self.first_word))
        values[:words] *= CHARACTER_WEIGHT / max(float(np.sqrt((values[:words] ** 2).sum())), 1e-12)
        values[words:] /= max(float(np.sqrt((values[words:] ** 2).sum())), 1e-12)
        return columns, values.astype(np.float32), first[hit], float(known)

    @property
    def first_word(self) -> int:
        """The first column that is a word; characters stand before it."""
        return int(np.searchsorted(self.keys, WORD_BIT))
