"""One compiled look at a text that says which rules of ``triage.normalise`` may have anything to do. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNUSUAL, GARBLED, TRADITIONAL, DOUBLED, BLANKS, BLOB, NUMBERS, SPACED, NOTES, MARKUP, WIDE, ANY = (1 << i for i in range(12))
BLOB_LENGTH = 120
MIN_DIGITS = 7  # of the shortest number that is masked
HAN = 0x3400  # nothing below is one


@compiled
def _neighbours(before: int, code: int, after: int) -> int:
    """What two characters say that stand side by side; 0 stands for the edges of the text."""
    found = 0
    if code in (0x20, 0x0A) and (before in (0, 0x20, 0x0A) or after == 0):
        found |= BLANKS
    if code == before and code > 0x20 and not (0x4E00 <= code <= 0x9FFF or 97 <= code <= 122 or 65 <= code <= 90 or 48 <= code <= 57):
        found |= DOUBLED
    if code >= HAN and before in (0x20, 0x09) and after in (0x20, 0x09):
        found |= SPACED
    if before >= HAN and code in (0x28, 0x5B) and not (48 <= after <= 57 or after >= HAN):
        found |= NOTES
    return found


@compiled
def signs(codes: NDArray[np.uint32], table: NDArray[np.uint16]) -> int:
    """The signs of a text. ``table`` says what each character of the basic plane is a sign of; all others are unusual."""
    found = digits = run = before = 0
    for i in range(len(codes)):
        code = int(codes[i])
        found |= int(table[code]) if code < len(table) else UNUSUAL
        found |= _neighbours(before, code, int(codes[i + 1]) if i + 1 < len(codes) else 0)
        is_digit = 48 <= code <= 57
        if is_digit:
            digits += 1
            found |= NUMBERS if digits >= MIN_DIGITS else 0
        elif not (code in (0x20, 0x2D) and 48 <= before <= 57):
            digits = 0
        blob = is_digit or 97 <= code <= 122 or 65 <= code <= 90 or code in (0x2B, 0x2F, 0x3D, 0x5F, 0x2D)
        run = run + 1 if blob else 0
        if run == BLOB_LENGTH:
            found |= BLOB
        before = code
    return found | ANY


def table(garbled: str, traditional: frozenset[str]) -> NDArray[np.uint16]:
    """What each character is a sign of: unusual are all but ASCII, common Han characters and the marks that no rule changes."""
    found = np.full(0x10000, UNUSUAL, np.uint16)
    found[0x20:0x7F] = found[0x0A] = 0
    found[0x4E00:0xA000] = 0
    found[[ord(mark) for mark in "、。《》〈〉「」『』【】〔〕“”‘’—–·○●■□★☆◆◇△▲→←"]] = 0
    found[0xFF01:0xFF5F] = found[ord("…")] = WIDE
    found[0x09] = BLANKS
    found[ord("@")] = NUMBERS
    found[[ord(mark) for mark in "wW/_&<"]] = MARKUP
    found[[ord(character) for character in garbled]] |= GARBLED
    found[[ord(character) for character in traditional]] |= TRADITIONAL
    return found
