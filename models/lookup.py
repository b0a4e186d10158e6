"""A vocabulary's n-grams, found by their hash, compiled. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.ahead import fetch
from models.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Keys = NDArray[np.uint64]
    Places = NDArray[np.int32]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, The Art of Computer Programming 3, 6.4)
AHEAD = 16  # n-grams, or rows of weights, that are on their way while one is read


class Known(NamedTuple):
    """A vocabulary: ``slots`` hash a key to its column + 1 (24 bits) under 8 bits of its hash, which spare most looks at ``keys``."""

    slots: NDArray[np.uint32]
    keys: Keys
    idf: NDArray[np.float32]
    first_word: int


@compiled
def _marked(slots: NDArray[np.uint32], mixed: np.uint64, at: np.uint64) -> np.uint64:
    """The first slot from ``at`` on that is free or may be the key's, by its mark."""
    mark, mask = np.uint32((mixed >> np.uint64(32)) & np.uint64(0xFF)), np.uint64(len(slots) - 1)
    while slots[at] and slots[at] >> 24 != mark:
        at = (at + np.uint64(1)) & mask
    return at


@compiled
def _place(slots: NDArray[np.uint32], keys: Keys, key: np.uint64) -> np.uint64:
    """Where a key's slot is, or the free one where it would be."""
    mixed, mask = key * GOLDEN, np.uint64(len(slots) - 1)
    at = _marked(slots, mixed, (mixed >> np.uint64(40)) & mask)
    while slots[at] and keys[(slots[at] & 0xFFFFFF) - 1] != key:
        at = _marked(slots, mixed, (at + np.uint64(1)) & mask)
    return at


@compiled
def index(keys: Keys) -> NDArray[np.uint32]:
    """The slots of a vocabulary."""
    size = 16
    while size < 2 * len(keys):
        size *= 2
    slots = np.zeros(size, np.uint32)
    for column in range(len(keys)):
        mark = ((keys[column] * GOLDEN) >> np.uint64(32)) & np.uint64(0xFF)
        slots[_place(slots, keys, keys[column])] = (mark << np.uint64(24)) | np.uint64(column + 1)
    return slots


@compiled
def find(keys: Keys, known: Known, columns: Places) -> None:
    """Write the column of every key, -1 where the vocabulary lacks it. First what will be looked at is asked for, so that memory answers many at a time."""
    slots, mask = known.slots, np.uint64(len(known.slots) - 1)
    for i in range(len(keys)):
        if i + AHEAD < len(keys):
            fetch(slots, ((keys[i + AHEAD] * GOLDEN) >> np.uint64(40)) & mask)
        mixed = keys[i] * GOLDEN
        columns[i] = np.int32(slots[_marked(slots, mixed, (mixed >> np.uint64(40)) & mask)] & 0xFFFFFF)
        if columns[i]:
            fetch(known.keys, columns[i] - 1)
            fetch(known.idf, columns[i] - 1)
    for i in range(len(keys)):
        if columns[i] and known.keys[columns[i] - 1] != keys[i]:
            columns[i] = np.int64(slots[_place(slots, known.keys, keys[i])] & 0xFFFFFF)
        columns[i] -= 1
