"""Which letters are nearly the same: forms with another name, second sendings, one petition signed by many.

Two letters are near-duplicates when their runs of four characters, blanks, marks and digits left out, are mostly the same (Jaccard
similarity; Broder 1997). MinHash signatures, cut into bands, say which pairs to look at (Leskovec, Rajaraman, Ullman, "Mining of Massive
Datasets", chapter 3); a pair counts only after its similarity was computed exactly. Memory: the texts bare, 0.5 to 1.5 KB for each
that differs, and 0.1 GB for one part of the letters.
"""

from __future__ import annotations

import re
from itertools import count, pairwise
from typing import TYPE_CHECKING

import numpy as np

from triage.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    Pairs = NDArray[np.int64]
    """(n_pairs, 2) numbers of two texts, the smaller first."""

SIZE = 4  # characters in a run: with five, another name in a short letter already makes it another letter
ALIKE = 0.6  # of 60 pairs of real letters looked at, every one from 0.5 on was one letter sent again; strangers share less than 0.3
BANDS, ROWS = 25, 5  # a pair of similarity s is looked at with 1 - (1 - s**ROWS) ** BANDS: 0.87 at 0.6, 0.99 at 0.7, 0.06 at 0.3
DOUBT = 0.12  # 125 numbers put a signature further than this below the similarity once in 300 times
PART = 2_000_000  # characters looked at in one go
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, The Art of Computer Programming 3, 6.4)
_BARE = re.compile(r"[\W\d_]+")


def groups(texts: Sequence[str]) -> NDArray[np.int64]:
    """(n,) the group of each text: near-duplicates share a number, a text like no other has one of its own.

    Groups are numbered by their first member. Texts too short for a run of four are near-duplicates only of the same text,
    and empty ones of nothing. The same texts in the same order give the same numbers.

    >>> groups(["路灯3月1日坏了, 至今没有人来修", "路灯5月8日坏了，至今没有人来修！", "拖欠工资", ""]).tolist()
    [0, 0, 1, 2]
    """
    which, bare = _distinct(texts)
    return _by_first_member(_joined(bare, _candidates(_signatures(bare)))[which])


def _distinct(texts: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """(n,) which of the distinct texts each one is, and these, bare; "" for one too short to be nearly like another."""
    numbers: dict[str, int] = {}
    alone = count()
    which = [numbers.setdefault(_key(text) or f"\0{next(alone)}", len(numbers)) for text in texts]
    return np.array(which, np.int64), [key[1:] if key[0] == "\1" else "" for key in numbers]


def _key(text: str) -> str:
    plain = normalise(text)
    bare = _BARE.sub("", plain)
    return f"\1{bare}" if len(bare) >= SIZE else plain


def _lengths(bare: Sequence[str]) -> NDArray[np.int64]:
    return np.array([len(text) for text in bare], np.int64)


def _parts(lengths: NDArray[np.int64]) -> Iterator[slice]:
    """Neighbours that together hold ``PART`` characters, give or take one of them."""
    ends = np.cumsum(lengths)
    cuts = np.searchsorted(ends, np.arange(PART, ends[-1] if len(ends) else 0, PART))
    return (slice(int(start), int(end)) for start, end in pairwise(np.unique([0, *cuts, len(lengths)])))


def _runs(bare: Sequence[str]) -> csr_matrix:
    """(n_texts, 2**30) which runs of characters a text holds, as ones; a run is the polynomial hash of its characters."""
    from scipy.sparse import csr_matrix

    lengths = _lengths(bare)
    codes = np.frombuffer("".join(bare).encode("utf-32-le"), np.uint32).astype(np.uint64)
    hashed = np.zeros(len(codes), np.uint64)
    for at in range(SIZE):
        hashed[: len(codes) - at] = hashed[: len(codes) - at] * _MULTIPLIER + codes[at:]
    inside = np.arange(len(codes)) + SIZE <= np.repeat(np.cumsum(lengths), lengths)
    columns = (hashed[inside] * _MULTIPLIER >> np.uint64(34)).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.maximum(lengths - SIZE + 1, 0))])
    runs = csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=(len(bare), 2**30))
    runs.sum_duplicates()
    runs.data[:] = 1.0
    return runs


def _signatures(bare: Sequence[str]) -> NDArray[np.uint32]:
    """(n_texts, BANDS * ROWS) the share of numbers that two texts have in common estimates their similarity."""
    from datasketch import MinHash

    blank = MinHash(BANDS * ROWS, hashfunc=int)
    signatures = np.empty((len(bare), BANDS * ROWS), np.uint32)
    for part in _parts(_lengths(bare)):
        runs = _runs(bare[part])
        for row in range(runs.shape[0]):
            signature = blank.copy()
            signature.update_batch(runs.indices[runs.indptr[row] : runs.indptr[row + 1]].tolist())
            signatures[part.start + row] = signature.hashvalues
    return signatures


def _candidates(signatures: NDArray[np.uint32]) -> Pairs:
    """Pairs that share a band and look alike by their signatures.

    Of the texts that share a band, each is paired with the first and with the next: chains, not all pairs, so that ten thousand copies
    of one form stay twenty thousand pairs.
    """
    found = [np.empty((0, 2), np.int64)]
    for band in range(BANDS):
        order, fresh = _sorted_band(signatures[:, band * ROWS : (band + 1) * ROWS])
        first = order[np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))]
        again = np.flatnonzero(~fresh)
        for other in (first[again], order[again - 1]):
            pairs = np.stack([other, order[again]], axis=1)
            found.append(pairs[(signatures[pairs[:, 0]] == signatures[pairs[:, 1]]).mean(axis=1) >= ALIKE - DOUBT])
    return np.unique(np.concatenate(found), axis=0)


def _sorted_band(band: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(n,) texts ordered so that those with the same band stand together, by their number; (n,) whether another band begins there."""
    order = np.lexsort(band.T)
    fresh = np.ones(len(order), bool)
    fresh[1:] = (band[order[1:]] != band[order[:-1]]).any(axis=1)
    return order, fresh


def _joined(bare: Sequence[str], pairs: Pairs) -> NDArray[np.int64]:
    """(n_texts,) which texts hang together by pairs whose exact similarity is high enough; a pair that is joined already is not computed."""
    kept, joined = np.empty((0, 2), np.int64), np.arange(len(bare))
    for part in _parts(_lengths(bare)[pairs].sum(axis=1)):
        apart = pairs[part][joined[pairs[part, 0]] != joined[pairs[part, 1]]]
        near = apart[_similarity(bare, apart) >= ALIKE]
        if len(near):
            kept = np.concatenate([kept, near])
            joined = _connected(kept, len(bare))
    return joined


def _similarity(bare: Sequence[str], pairs: Pairs) -> NDArray[np.float64]:
    """(n_pairs,) Jaccard similarity of the runs, 0..1; 0 for texts without any."""
    needed, at = np.unique(pairs, return_inverse=True)
    runs = _runs([bare[text] for text in needed])
    one, other = (runs[side] for side in at.reshape(-1, 2).T)
    shared = np.asarray(one.multiply(other).sum(axis=1), np.float64).ravel()
    return np.asarray(shared / np.maximum(np.diff(one.indptr) + np.diff(other.indptr) - shared, 1))


def _connected(pairs: Pairs, n_texts: int) -> NDArray[np.int64]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n_texts, n_texts))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _by_first_member(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, which = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[which]
