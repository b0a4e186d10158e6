"""What nearly every letter needs to be normalised, in one compiled pass over a batch: narrow forms, single blanks, single marks. Import it late: it needs numba."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from models.compiled import compiled
from triage.characters import narrow
from triage.signs import MIN_ALONE, ROUGH, signs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.uint32]
    Kinds = NDArray[np.uint8]

BLANK, LINE_END, MARK = 0x20, 0x0A, 1  # what a character is, if it is not 0: one that keeps its place whatever stands beside it
ELLIPSIS, STOP, TAB = 0x2026, 0x2E, 0x09
KNOWN = 0x40000  # beyond are no letters, digits or blanks
_MARKS = re.compile(r"[^\w\s<>&/]|_")
_LINE_ENDS = re.compile("[\n\r\x85\u2028\u2029]")
_BLANKS = re.compile(r"[^\S\n\r\x0b-\x1f\x85\u2028\u2029]")  # the control characters among them are dropped


@cache
def kinds() -> Kinds:
    """What each character below ``KNOWN`` is."""
    everything, found = "".join(map(chr, range(KNOWN))), np.zeros(KNOWN, np.uint8)
    for kind, pattern in ((MARK, _MARKS), (LINE_END, _LINE_ENDS), (BLANK, _BLANKS)):
        found[[met.start() for met in pattern.finditer(everything)]] = kind
    return found


@compiled
def _plain(codes: Codes, kinds: Kinds, out: Codes) -> int:
    """Write one letter; returns its length. The three stops of an ellipsis are one mark three times."""
    n = waiting = 0
    for i in range(len(codes)):
        code = int(codes[i])
        if not 0x4E00 <= code <= 0x9FFF:  # most characters of a letter
            code = STOP if code == ELLIPSIS else narrow(code)
            kind = kinds[code] if code < len(kinds) else MARK
            if kind > MARK:
                waiting = LINE_END if LINE_END in (kind, waiting) else BLANK
                continue
            if kind == MARK and n and not waiting and out[n - 1] == code:
                continue
        if waiting and n:
            out[n] = waiting
            n += 1
        out[n] = code
        n, waiting = n + 1, 0
    return n


@compiled
def _differs(one: Codes, other: Codes) -> bool:
    differs = len(one) != len(other)
    for i in range(0 if differs else len(one)):
        differs |= one[i] != other[i]
    return differs


@compiled
def plain(codes: Codes, bounds: NDArray[np.int64], kinds: Kinds, table: NDArray[np.uint16]) -> tuple[Codes, NDArray[np.int64], NDArray[np.uint16]]:
    """Each letter with narrow forms, one blank for a run of blanks, one line end for a run with a line's end in it, none at the edges, one mark for a run of it.

    Returns their codes, their bounds, and the signs (``triage.signs``) left in each: rough are those that were not plain.
    """
    out, ends, left = np.empty(len(codes), np.uint32), np.zeros(len(bounds), np.int64), np.empty(len(bounds) - 1, np.uint16)
    for row in range(len(left)):
        letter = codes[bounds[row] : bounds[row + 1]]
        ends[row + 1] = ends[row] + _plain(letter, kinds, out[ends[row] :])
        made = out[ends[row] : ends[row + 1]]
        left[row] = signs(made, table) | ROUGH * _differs(letter, made)
    return out[: ends[-1]], ends, left


@compiled
def _is_han(codes: Codes, at: int) -> bool:
    """``triage.normalise.HAN``; false beyond the edges."""
    code = codes[at] if 0 <= at < len(codes) else 0
    return 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x323AF


@compiled
def _apart(codes: Codes, at: int) -> int:
    """Where a run of three and more single characters ends that one to three blanks set apart; ``at`` if none begins here."""
    count, end, here = 0, at, at
    while _is_han(codes, here) and not _is_han(codes, here - 1) and not _is_han(codes, here + 1):
        count, end, here = count + 1, here + 1, here + 1
        while here < min(end + 3, len(codes)) and codes[here] in (BLANK, TAB):
            here += 1
    return end if count >= MIN_ALONE else at


@compiled
def together(codes: Codes) -> Codes:
    """The characters without the blanks in runs of single ones set apart."""
    out, n, at = np.empty(len(codes), np.uint32), 0, 0
    while at < len(codes):
        end = _apart(codes, at)
        for i in range(at, max(end, at + 1)):
            if i >= end or codes[i] not in (BLANK, TAB):
                out[n] = codes[i]
                n += 1
        at = max(end, at + 1)
    return out[:n]
