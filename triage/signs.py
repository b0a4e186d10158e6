"""One compiled look at a text that says which rules of ``triage.normalise`` may have anything to do. Import it late: it needs numba."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import TYPE_CHECKING

import numpy as np

from models.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNUSUAL, GARBLED, TRADITIONAL, BLOB, NUMBERS, SPACED, NOTES, MARKUP, ADDRESS, ROUGH = (1 << i for i in range(10))
WRITTEN = MARKUP | UNUSUAL | GARBLED  # are to be mended as the letter was written: comments, for one, begin with a run of one mark
STRANGE, LONG, BEGINS = (2 * ROUGH << i for i in range(3))  # signs only in company: of mojibake, of a blob, of what its neighbours say
BLOB_LENGTH = 120
MIN_DIGITS = 10  # of the shortest number that is masked, with its area in brackets and blanks and hyphens between
MIN_STRANGE = 4
MIN_ALONE = 3  # Han characters that blanks set apart
HAN = 0x3400  # nothing below is one


@compiled
def _neighbours(before: int, code: int, after: int) -> int:
    """What a character that begins something says with those beside it; 0 stands for the edges of the text."""
    if code in (0x28, 0x5B):  # brackets
        return NOTES if before >= HAN and not (48 <= after <= 57 or after >= HAN) else 0
    if code in (0x26, 0x3C):  # & and <
        return MARKUP if 97 <= after | 0x20 <= 122 or after in (0x21, 0x23, 0x2F) else 0
    if code == 0x5F:
        return MARKUP if after == 0x78 else 0  # _x
    return ADDRESS if code | 0x20 == before | 0x20 else 0  # two slashes, two w


@compiled
def _is_alone(codes: NDArray[np.uint32], at: int) -> bool:
    """No other Han character stands beside this one."""
    return (at == 0 or codes[at - 1] < HAN) and (at + 1 == len(codes) or codes[at + 1] < HAN)


@compiled
def signs(codes: NDArray[np.uint32], table: NDArray[np.uint16]) -> int:
    """The signs of a plain text (``triage.plain``). ``table`` says what each character of the basic plane is a sign of; all others are unusual."""
    found = digits = run = strange = alone = before = 0
    for i in range(len(codes)):
        code = int(codes[i])
        here = int(table[code]) if code < len(table) else UNUSUAL
        if not here and code >= HAN and before >= HAN:  # most characters of a letter
            before, digits, run, strange, alone = code, 0, 0, 0, 0
            continue
        found |= here
        if here & BEGINS:
            found |= _neighbours(before, code, int(codes[i + 1]) if i + 1 < len(codes) else 0)
        strange = strange + 1 if here & STRANGE else 0
        run = run + 1 if here & LONG else 0
        if 48 <= code <= 57:
            digits += 1
        elif code not in (0x20, 0x2D, 0x29):
            digits = 0
        if code >= HAN:
            alone = (alone if before in (0x20, 0x09) else 0) + 1 if _is_alone(codes, i) else 0
        elif code not in (0x20, 0x09):
            alone = 0
        found |= GARBLED * (strange == MIN_STRANGE) | BLOB * (run == BLOB_LENGTH) | NUMBERS * (digits == MIN_DIGITS) | SPACED * (alone == MIN_ALONE)
        before = code
    return found & (2 * ROUGH - 1)


def table(garbled: str, traditional: frozenset[str]) -> NDArray[np.uint16]:
    """What each character is a sign of: unusual are all but ASCII, common Han characters and the marks that no rule changes."""
    found = np.full(0x10000, UNUSUAL, np.uint16)
    found[0x20:0x7F] = found[0x09:0x0B] = 0
    found[0x4E00:0xA000] = 0
    found[[ord(mark) for mark in "、。《》〈〉「」『』【】〔〕“”‘’—–·○●■□★☆◆◇△▲→←"]] = 0
    found[ord("@")] = NUMBERS
    found[[ord(mark) for mark in "([&<_/wW"]] = BEGINS
    found[[ord(mark) for mark in ascii_letters + digits + "+/=_-"]] |= LONG
    found[[ord(character) for character in garbled]] |= STRANGE
    found[[ord(character) for character in traditional]] |= TRADITIONAL
    return found
