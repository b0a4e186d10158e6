"""How much of a letter can be read, counted in one compiled pass. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.uint32]

BLANK = 0x20
REPLACED = 0xFFFD  # stands for what a decoder could not read
KUN, JIN, KAO = (ord(character) for character in "锟斤拷")  # two of them, read as GBK; whole words are common that hold one of these characters alone
FILLS = ord("烫"), ord("屯")  # memory that was never written to, read as GBK
BEGINS = (REPLACED, KUN, JIN, *FILLS)


@compiled
def _lost(codes: Codes, at: int) -> int:
    """How many characters here are what a failed conversion leaves: 0 for none."""
    code = codes[at]
    after = codes[at + 1] if at + 1 < len(codes) else 0
    third = codes[at + 2] if at + 2 < len(codes) else 0
    if code == KUN and after == JIN:
        return 3 if third == KAO else 2
    if code == JIN and after == KAO:
        return 2
    return 3 if code in FILLS and code == after == third else int(code == REPLACED)


@compiled
def counts(words: Codes, starts: NDArray[np.int32], letters: NDArray[np.int64], codes: Codes, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each letter the characters of its words, those of them outside ASCII, and the places of its text that were lost; (n_letters, 3)."""
    out = np.empty((len(bounds) - 1, 3), np.int64)
    for row in range(len(out)):
        readable = outside = lost = 0
        for code in words[starts[letters[row]] : starts[letters[row + 1]]]:
            readable += code != BLANK
            outside += code > 127
        text, after = codes[bounds[row] : bounds[row + 1]], 0
        for at in range(len(text)):
            if text[at] in BEGINS and at >= after:
                after = at + _lost(text, at)
                lost += after > at
        out[row, 0], out[row, 1], out[row, 2] = readable, outside, lost
    return out
