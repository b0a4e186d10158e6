"""Masks personal numbers. Used before features are made, and before anything leaves the office.

Each pattern names what it finds; amounts, dates and document numbers are left alone (see ``tests/test_privacy.py``).
Works on normalised text: full-width digits are ASCII by then.
"""

from __future__ import annotations

import re

MASK = "*"

# GB 11643-1999: six digits of place, eight of birth date, three of order, one check digit (0-9 or X). A wrong check
# digit is masked as well: a mistyped number still points at a person. Blanks and hyphens between the groups are common.
_BIRTH = r"(?:18|19|20)\d\d[ -]?(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
IDENTITY_NUMBER = re.compile(rf"(?<![0-9A-Za-z])[1-9]\d{{5}}[ -]?{_BIRTH}[ -]?\d{{3}}[ -]?[\dXx](?![0-9A-Za-z])")
# Before 1999: fifteen digits, two for the year and no check digit.
OLD_IDENTITY_NUMBER = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{5}\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}(?![0-9A-Za-z])")
# YD/T 2583 and the ministry's number plan: mobile 1[3-9] and nine more; land lines 0 + area of 2-3 digits + 7-8 digits.
MOBILE_PHONE = re.compile(r"(?<![0-9A-Za-z])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![0-9A-Za-z])")
LAND_LINE = re.compile(r"(?<![0-9A-Za-z])(?:\(0\d{2,3}\)|0\d{2,3}) ?-? ?\d{7,8}(?![0-9A-Za-z])")
# ISO/IEC 7812: 16 to 19 digits, often written in fours. The check digit is not asked for, as above.
BANK_CARD = re.compile(r"(?<![0-9A-Za-z.])[1-9]\d{3}(?:[ -]?\d{4}){3}(?:[ -]?\d{1,3})?(?![0-9A-Za-z.])")
EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}")

PATTERNS = (IDENTITY_NUMBER, OLD_IDENTITY_NUMBER, MOBILE_PHONE, LAND_LINE, BANK_CARD, EMAIL)
_ANY = re.compile("|".join(pattern.pattern for pattern in PATTERNS))
_MASKS = re.compile(r"\*{2,}")
_RUN = re.compile(r"[\dA-Za-z@._%+() -]{5,}")  # all that a pattern takes or looks at stands in one such run
_WORTH_LOOKING = re.compile(r"\d(?:[ -]?\d){6}|@")


def mask(text: str) -> str:
    """``text`` with identity numbers, phones, bank cards and e-mail addresses replaced by ``*``.

    >>> mask("身份证110101190001010000,电话138-0000-0000,欠款123456.50元")
    '身份证*,电话*,欠款123456.50元'
    """
    masked = _RUN.sub(_mask_run, text)
    return _MASKS.sub(MASK, masked) if masked != text else text


def _mask_run(found: re.Match[str]) -> str:
    run = found[0]
    if _WORTH_LOOKING.search(run) is None:
        return run
    while _ANY.search(run):  # a masked number may have stood in the way of its neighbour
        for pattern in PATTERNS:
            run = pattern.sub(MASK, run)
    return run
