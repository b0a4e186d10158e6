"""Normalised text to words. The only room that knows the segmenter: jieba's dictionary and algorithm (``triage.segment``)."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from models.compiled import bare
from models.features import Words
from triage.errors import TaxonomyError
from triage.taxonomy import DATA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.compiled import Bare
    from models.judging import Judged
    from triage.segment import Tree

DICTIONARY = "dictionary.txt"
JIEBA = DATA / "jieba.npz"  # built by tests/bench/jieba_dictionary.py


class Segmenter:
    """The words of jieba and the office's own, and what cuts texts by them. Safe to share between threads: cutting changes nothing."""

    def __init__(self, dictionary: Path = DATA / DICTIONARY) -> None:
        self._tree = _tree(read_dictionary(dictionary))
        self._bare_tree = bare(self._tree)
        self.checksum = hashlib.sha256(dictionary.read_bytes()).hexdigest()

    def words(self, codes: NDArray[np.uint32], bounds: NDArray[np.int64]) -> Words:
        """The words of normalised letters, joined, lower case and each with a line end behind it; a break wherever punctuation or a bare number stood.

        A blank parts two words and no more: Chinese needs none, and people who set them do not end a sentence by it.
        """
        from triage.segment import segment

        return Words(*segment(codes, bounds, self._tree))

    def judged(
        self, codes: NDArray[np.uint32], bounds: NDArray[np.int64], titled: NDArray[np.bool_], weights: tuple[int, int], question: Bare
    ) -> tuple[NDArray[np.uint32], Judged, NDArray[np.int64]]:
        """What a model says of the words of normalised letters, joined: see ``triage.reading``."""
        from triage.reading import judged

        return judged(codes, bounds, titled, weights, self._bare_tree, question)

    def cut(self, texts: Sequence[str]) -> Words:
        """The words of normalised texts, each character once."""
        from triage.characters import joined, weighted

        return self.words(*weighted(*joined(texts), np.zeros(len(texts), np.bool_), 1, 0))

    def tokens(self, text: str) -> list[str]:
        """The words of one text as strings, ``" "`` for a break.

        >>> Segmenter().tokens("拖欠征地补偿款3年, 没人管")
        ['拖欠', '征地补偿款', ' ', '年', ' ', '没人管']
        """
        return self.cut([text]).tokens(0)


def _tree(own: list[tuple[str, int]]) -> Tree:
    """The dictionary of jieba with an office's own words, as ``add_word`` of rjieba: a word that stands there has its frequency replaced."""
    from triage.segment import Tree
    from triage.tree import MOST_WORDS, grow

    with np.load(JIEBA, allow_pickle=False) as file:
        jieba = dict(file)
    parents, characters, frequencies, total = _with_own(jieba, own)
    different, which = np.unique(frequencies, return_inverse=True)  # 0 is the first: most prefixes are no words
    if len(different) > MOST_WORDS:
        raise TaxonomyError(
            f"{DICTIONARY}: with jieba's {len(different)} different frequencies of words. Allowed are {MOST_WORDS}. Round the frequencies: words of like frequency are cut alike."
        )
    logs = np.array([math.log(frequency) - math.log(total) if frequency else 0.0 for frequency in different.tolist()])  # to the last bit as jieba's
    slots = np.zeros(1 << (2 * len(parents)).bit_length(), np.uint64)
    grow(slots, parents, characters, which)
    return Tree(slots, logs, -math.log(total), jieba["emit"], jieba["trans"], jieba["start"])


def _with_own(jieba: dict[str, NDArray[Any]], own: list[tuple[str, int]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]:
    """Parents, characters and frequencies of all nodes, and the sum of the frequencies."""
    edges, total = jieba["parents"].astype(np.int64) << 21 | jieba["characters"], int(jieba["total"])  # ascending
    more: dict[int, int] = {}
    replaced: dict[int, int] = {}
    for word, frequency in own:
        node = 0
        for character in word:
            edge = node << 21 | ord(character)
            at = int(np.searchsorted(edges, edge))
            node = at + 1 if at < len(edges) and edges[at] == edge else more.setdefault(edge, len(edges) + len(more) + 1)
        before = replaced.get(node, int(jieba["frequencies"][node - 1]) if node <= len(edges) else 0)
        total += frequency - before
        replaced[node] = frequency
    edges = np.concatenate([edges, np.array(list(more), np.int64)])
    frequencies = np.concatenate([jieba["frequencies"], np.zeros(len(more), np.int32)]).astype(np.int64)
    frequencies[np.array(list(replaced), np.int64) - 1] = list(replaced.values())
    return edges >> 21, edges & 0x1FFFFF, frequencies, total


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
