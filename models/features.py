"""Words to TF-IDF: word 1-2-grams and character 1-3-grams, for a whole batch at once.

No n-gram is built as a Python string. A word is the hash of its characters, an n-gram of characters is the characters themselves packed
into 63 bits, and every key is found in the vocabulary by its hash (``models.lookup``). Words and characters are scaled apart before
they stand side by side: one joint norm lets the many character n-grams drown the words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.lookup import Known

BREAK = " "
WORD_BIT = np.uint64(1 << 63)


@dataclass(frozen=True, slots=True)
class Words:
    """A batch cut into words: ``codes`` (uint32) are the characters of all words in order, and a blank for each break.

    Word or break ``i`` is ``codes[starts[i]:starts[i + 1]]``; letter ``i`` has those from ``letters[i]`` to before ``letters[i + 1]``, of which
    the last is a break.
    """

    codes: NDArray[np.uint32]
    starts: NDArray[np.int32]
    letters: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.letters) - 1

    @property
    def arrays(self) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int64]]:
        """As compiled code takes them."""
        return self.codes, self.starts, self.letters

    def text(self, start: int, end: int) -> str:
        """The characters from ``start`` to before ``end``."""
        return self.codes[start:end].tobytes().decode("utf-32-le")

    def tokens(self, row: int) -> list[str]:
        """The words and breaks of letter ``row`` without the last break."""
        starts = self.starts[self.letters[row] : self.letters[row + 1]]
        return [self.text(start, end) for start, end in pairwise(starts)]


def words(batch: Sequence[Sequence[str]]) -> Words:
    """Letters that are cut already, a list of words and breaks each.

    >>> words([["拖欠", "工资"], []]).tokens(0)
    ['拖欠', '工资']
    """
    flat = [token for tokens in batch for token in (*tokens, BREAK)]
    starts = np.zeros(len(flat) + 1, np.int32)
    np.cumsum([len(token) for token in flat], out=starts[1:])
    letters = np.zeros(len(batch) + 1, np.int64)
    np.cumsum([len(tokens) + 1 for tokens in batch], out=letters[1:])
    return Words(np.frombuffer("".join(flat).encode("utf-32-le"), np.uint32).copy(), starts, letters)


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of a batch: three arrays of the same length, in the order of the letters.

    ``keys`` (uint64) say which n-gram, ``begins`` and ``ends`` (int32) where it stands in the batch; those of letter ``i`` are
    from ``bounds[i]`` to before ``bounds[i + 1]``.
    """

    keys: NDArray[np.uint64]
    begins: NDArray[np.int32]
    ends: NDArray[np.int32]
    bounds: NDArray[np.int64]
    words: Words

    @property
    def rows(self) -> NDArray[np.int64]:
        """The letter of each."""
        return np.repeat(np.arange(len(self.words)), np.diff(self.bounds))

    def term(self, index: int) -> str:
        """The n-gram as it reads; the two words of a pair have a blank between them only where the caller puts it."""
        return self.words.text(self.begins[index], self.ends[index])

    def only(self, asked: NDArray[np.bool_]) -> Grams:
        """Those of the letters that are asked for; the others then have none."""
        counts = np.diff(self.bounds)
        kept = np.repeat(asked, counts)
        bounds = np.concatenate([[0], np.cumsum(counts * asked)])
        return Grams(self.keys[kept], self.begins[kept], self.ends[kept], bounds, self.words)


def grams(batch: Words) -> Grams:
    """Every word 1-2-gram and character 1-3-gram of every letter; none crosses a break or a letter's end.

    >>> found = grams(words([["拖欠", "工资"]]))
    >>> sorted({found.term(i) for i in range(len(found.keys))})
    ['工', '工资', '拖', '拖欠', '拖欠工', '拖欠工资', '欠', '欠工', '欠工资', '资']
    """
    from models import kernel

    return Grams(*kernel.grams(*batch.arrays), batch)


@dataclass(frozen=True, slots=True)
class Matrix:
    """TF-IDF of a batch as compressed sparse rows: letter ``i`` owns ``indptr[i]:indptr[i + 1]`` of the arrays beside it.

    ``columns`` are positions in the vocabulary, in the order in which a letter has them, characters before words; ``values`` (float32) have
    length 1 over the words of a letter and length ``CHARACTER_WEIGHT`` over its characters. ``spans`` (n, 2) say from where to where
    in the codes each column was first met. ``known`` (n_letters,) is the share of a letter's pairs of characters that the vocabulary holds; low means unreadable.
    """

    indptr: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    spans: NDArray[np.int32]
    known: NDArray[np.float32]

    def letter(self, row: int) -> slice:
        """Where letter ``row`` stands in ``columns`` and ``values``."""
        return slice(int(self.indptr[row]), int(self.indptr[row + 1]))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The n-grams that a model knows: ``keys`` (uint64; words after characters) and their ``idf`` (float32).

    What most letters have stands first among the words and among the characters: it shares memory that is near at hand.
    """

    keys: NDArray[np.uint64]
    idf: NDArray[np.float32]
    index: Known = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from models.lookup import Known, index

        keys = read_only(self.keys)
        first_word = int(np.count_nonzero(keys < WORD_BIT))
        object.__setattr__(self, "index", Known(index(keys), keys, read_only(self.idf), first_word))

    def __len__(self) -> int:
        return len(self.keys)

    def matrix(self, batch: Words) -> Matrix:
        """Sublinear TF-IDF, (1 + ln count) x idf, words and characters scaled apart."""
        from models.kernel import rows

        return Matrix(*rows(*batch.arrays, self.index))

    @property
    def first_word(self) -> int:
        """The first column that is a word; characters stand before it."""
        return self.index.first_word


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The array as one that is only read: so what is mapped from a file and what was just made have the same compiled code."""
    view = array.view()
    view.flags.writeable = False
    return view
