"""The n-grams that a training set is worth: counted part by part, so that memory grows with the language and not with the letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.features import WORD_BIT, Grams, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Counts = tuple[NDArray[np.uint64], NDArray[np.int64]]
    """Keys, ascending, and in how many letters each stands."""

MAX_FEATURES = 400_000  # of a vocabulary; the n-grams that stand in most letters are kept
MAX_COUNTED = 30_000_000  # keys held while counting (0.5 GB): beyond, those met once so far are forgotten (Manku and Motwani 2002)


def learn_vocabulary(parts: Iterable[Grams], n_letters: int, *, min_words: int = 2, min_characters: int = 3) -> Vocabulary:
    """The vocabulary of a training set: n-grams that stand in at least so many letters, idf = ln((1 + n) / (1 + df)) + 1.

    ``parts`` are the grams of one batch of letters after another. The smoothed idf is scikit-learn's (``TfidfTransformer``).
    """
    keys, letters_with = _all_counts(parts)
    keep = letters_with >= np.where(keys >= WORD_BIT, min_words, min_characters)
    keys, letters_with = _most_frequent(keys[keep], letters_with[keep])
    order = np.lexsort((keys, -letters_with, keys >= WORD_BIT))
    idf = np.log((1 + n_letters) / (1 + letters_with[order])) + 1
    return Vocabulary(keys[order], idf.astype(np.float32))


def _all_counts(parts: Iterable[Grams]) -> Counts:
    """Counts of all parts: those of like size are merged, as in a log-structured tree, so each key is moved only log(parts) times."""
    stack: list[Counts] = [(np.empty(0, np.uint64), np.empty(0, np.int64))]
    for part in parts:
        stack.append(_counts(part))
        while len(stack) > 1 and 2 * len(stack[-1][0]) >= len(stack[-2][0]):
            stack.append(_merged(stack.pop(), stack.pop()))
    while len(stack) > 1:
        stack.append(_merged(stack.pop(), stack.pop()))
    return stack[0]


def _counts(found: Grams) -> Counts:
    keys, position = np.unique(found.keys, return_inverse=True)
    cells = np.unique(found.rows * len(keys) + position)
    return keys, np.bincount(cells % max(1, len(keys)), minlength=len(keys))


def _merged(one: Counts, other: Counts, most: int = MAX_COUNTED) -> Counts:
    keys, counts = np.concatenate([other[0], one[0]]), np.concatenate([other[1], one[1]])
    order = np.argsort(keys, kind="stable")  # two sorted runs: one pass
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.diff(keys, prepend=keys[:1] ^ np.uint64(1))) if len(keys) else np.empty(0, np.int64)
    keys, counts = keys[first], np.add.reduceat(counts, first) if len(first) else counts
    keep = counts > 1 if len(keys) > most else slice(None)
    return keys[keep], counts[keep]


def _most_frequent(keys: NDArray[np.uint64], counts: NDArray[np.int64], most: int = MAX_FEATURES) -> Counts:
    if len(keys) <= most:
        return keys, counts
    kept = np.sort(np.argsort(-counts, kind="stable")[:most])
    return keys[kept], counts[kept]
