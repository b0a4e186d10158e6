"""Normalised text to tokens. The only room that knows the segmenter: jieba's algorithm and dictionary, in Rust."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from triage.errors import TaxonomyError
from triage.normalise import HAN
from triage.taxonomy import DATA

if TYPE_CHECKING:
    from pathlib import Path

DICTIONARY = "dictionary.txt"
BREAK = " "
HMM = True  # measured: see docs/decisions.md, "HMM on or off"

_NOT_A_WORD = re.compile(rf"(?:[^A-Za-z0-9{HAN} ]+|(?<![A-Za-z0-9])[0-9]+(?![A-Za-z0-9]))+")
_STOP = "\n"


class Segmenter:
    """One private jieba with the office's own words. Safe to share between threads: cutting changes nothing."""

    def __init__(self, dictionary: Path = DATA / DICTIONARY) -> None:
        from rjieba import Jieba  # half a second of start-up that `triage --help` does not need

        self._jieba = Jieba()
        for word, frequency in read_dictionary(dictionary):
            self._jieba.add_word(word, frequency, "n")
        self.checksum = hashlib.sha256(dictionary.read_bytes()).hexdigest()

    def tokens(self, text: str) -> list[str]:
        """The words of a normalised text in order, lower case; one ``" "`` wherever punctuation or a bare number stood.

        A blank parts two words and no more: Chinese needs none, and people who set them do not end a sentence by it.

        >>> Segmenter().tokens("拖欠征地补偿款3年, 没人管")
        ['拖欠', '征地补偿款', ' ', '年', ' ', '没人管']
        """
        words = self._jieba.cut(_NOT_A_WORD.sub(_STOP, text.lower()), HMM)
        return [BREAK if word == _STOP else word for word in words if word != BREAK]


def read_dictionary(path: Path) -> list[tuple[str, int]]:
    """Words and frequencies of a dictionary file (word, blank, frequency; ``#`` starts a remark).

    Raises TaxonomyError with file and line.

    >>> len(read_dictionary(DATA / DICTIONARY)) > 800
    True
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TaxonomyError(
            f"{path}: cannot be read as UTF-8 ({error.__class__.__name__}). It must be a UTF-8 text. Save it again, or remove it to use the shipped one."
        ) from error
    entries = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    return [_entry(path, number, parts) for number, parts in entries]


def _entry(path: Path, number: int, parts: list[str]) -> tuple[str, int]:
    if len(parts) != 2 or not parts[1].isdigit() or int(parts[1]) == 0:
        raise TaxonomyError(f"{path} line {number}: not a word and a frequency. A line holds a word, a blank and a whole number above 0. Correct the line.")
    return parts[0], int(parts[1])
