"""Text as character codes and back, and compiled passes over the codes. Import it late: it needs numba."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from models.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLANK, LINE_END, WIDE_BLANK = 0x20, 0x0A, 0x3000
FIRST_WIDE, LAST_WIDE, WIDER = 0xFF01, 0xFF5E, 0xFEE0  # the full-width forms of ASCII, and how far they stand from it


def codes_of(text: str) -> NDArray[np.uint32]:
    r"""The code of each character; (n_characters,), not to be written to.

    >>> codes_of("a\ud800").tolist()
    [97, 55296]
    """
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def text_of(codes: NDArray[np.uint32]) -> str:
    """The text of character codes."""
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def joined(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The codes of all texts in a row; text ``i`` has those from ``bounds[i]`` to before ``bounds[i + 1]``."""
    bounds = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=bounds[1:])
    return codes_of("".join(texts)), bounds


@compiled
def narrowed(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Full-width forms of ASCII and the ideographic blank as ASCII: what NFKC makes of them, each by itself."""
    out = codes.copy()
    for i in range(len(codes)):
        if FIRST_WIDE <= codes[i] <= LAST_WIDE:
            out[i] = codes[i] - WIDER
        elif codes[i] == WIDE_BLANK:
            out[i] = BLANK
    return out


@cache
def blanks_of() -> NDArray[np.uint8]:
    """What each character of the basic plane is: a line's end, another blank, or 0 for neither."""
    found = np.array([BLANK if chr(code).isspace() else 0 for code in range(0x10000)], np.uint8)
    found[[ord(end) for end in "\n\r\x85\u2028\u2029"]] = LINE_END
    return found


@compiled
def single_blanks(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """One blank for a run of blanks, one line end for a run with a line's end in it, none at the edges."""
    out, n, waiting = np.empty(len(codes), np.uint32), 0, 0
    for i in range(len(codes)):
        kind = kinds[codes[i]] if codes[i] < len(kinds) else 0
        if kind:
            waiting = LINE_END if LINE_END in (kind, waiting) else BLANK
        else:
            if waiting and n:
                out[n] = waiting
                n += 1
            out[n] = codes[i]
            n, waiting = n + 1, 0
    return out[:n]
