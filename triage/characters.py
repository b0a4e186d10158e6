"""Text as character codes and back, and compiled passes over the codes. Import it late: it needs numba."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from models.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Joined = tuple[NDArray[np.uint32], NDArray[np.int64]]

FIRST_WIDE, LAST_WIDE, WIDER, WIDE_BLANK = 0xFF01, 0xFF5E, 0xFEE0, 0x3000  # the full-width forms of ASCII, how far they stand from it, their blank
LINE_END = 0x0A
KELVIN, DOTTED = 0x212A, 0x130  # signs whose lower case is a letter of ASCII, the second with a dot of its own


def codes_of(text: str) -> NDArray[np.uint32]:
    r"""The code of each character; (n_characters,), not to be written to.

    >>> codes_of("a\ud800").tolist()
    [97, 55296]
    """
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def text_of(codes: NDArray[np.uint32]) -> str:
    """The text of character codes."""
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def joined(texts: Sequence[str]) -> Joined:
    """The codes of all texts in a row; text ``i`` has those from ``bounds[i]`` to before ``bounds[i + 1]``."""
    return codes_of("".join(texts)), np.array([0, *accumulate(map(len, texts))], np.int64)


def in_a_row(texts: Sequence[NDArray[np.uint32]]) -> Joined:
    """Texts that are codes already, joined."""
    return np.concatenate(texts), np.array([0, *accumulate(map(len, texts))], np.int64)


@compiled
def spliced(codes: NDArray[np.uint32], bounds: NDArray[np.int64], rows: NDArray[np.int64], others: NDArray[np.uint32], ends: NDArray[np.int64]) -> Joined:
    """Joined texts, those of ``rows`` (ascending) replaced by the joined ``others``."""
    room = len(codes) + len(others)
    out, places, n, turn = np.empty(room, np.uint32), np.zeros(len(bounds), np.int64), 0, 0
    for row in range(len(bounds) - 1):
        replaced = turn < len(rows) and rows[turn] == row
        text = others[ends[turn] : ends[turn + 1]] if replaced else codes[bounds[row] : bounds[row + 1]]
        out[n : n + len(text)] = text
        n, turn = n + len(text), turn + replaced
        places[row + 1] = n
    return out[:n], places


@compiled
def narrow(code: int) -> int:
    """A full-width form of ASCII or the ideographic blank as ASCII, all else as it is: what NFKC makes of it, each by itself."""
    if FIRST_WIDE <= code <= LAST_WIDE:
        return code - WIDER
    return 0x20 if code == WIDE_BLANK else code


@compiled
def narrowed(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The narrow form of each."""
    out = np.empty(len(codes), np.uint32)
    for i in range(len(codes)):
        out[i] = narrow(codes[i])
    return out


@compiled
def _line(codes: NDArray[np.uint32], out: NDArray[np.uint32], n: int) -> int:
    """Write characters from ``out[n]`` on, in the lower case of words (no other character becomes a letter or a digit by it), and a line end."""
    for i in range(len(codes)):
        code = codes[i]
        out[n] = code + 32 if 65 <= code <= 90 else 0x6B if code == KELVIN else code
        if code == DOTTED:
            out[n], out[n + 1] = 0x69, 0x307
            n += 1
        n += 1
    out[n] = LINE_END
    return n + 1


@compiled
def _head(codes: NDArray[np.uint32], titled: bool, opening: int) -> int:
    """How many characters at the beginning of a letter count more than once: its title, or the opening of a longer one without."""
    if not titled:
        return opening if len(codes) > 2 * opening else 0
    end = 0
    while end < len(codes) and codes[end] != LINE_END:
        end += 1
    return end


@compiled
def weighted(codes: NDArray[np.uint32], bounds: NDArray[np.int64], titled: NDArray[np.bool_], title_counts: int, opening: int) -> Joined:
    """Joined letters as lines in lower case: ``titled`` ones with their first line ``title_counts`` times, the others with their ``opening`` twice."""
    n_dotted = 0
    for i in range(len(codes)):
        n_dotted += codes[i] == DOTTED
    room = (1 + title_counts) * (len(codes) + n_dotted + len(bounds))
    out, ends, n = np.empty(room, np.uint32), np.zeros(len(bounds), np.int64), 0
    for row in range(len(titled)):
        letter = codes[bounds[row] : bounds[row + 1]]
        head = _head(letter, titled[row], opening)
        for _ in range(title_counts - 1 if titled[row] else head > 0):
            n = _line(letter[:head], out, n)
        n = _line(letter, out, n)
        ends[row + 1] = n
    return out[:n], ends
