"""jieba's algorithm, compiled: the characters of a batch of letters in, words out, with no Python object for a word.

Four passes, each linear, the first three over one letter after another: ``_kinds`` says what each character is, ``_routes`` is jieba's ``get_DAG`` and ``calc`` in one,
``_ends`` is its ``__cut_DAG`` with ``finalseg`` (``_viterbi``) for what the dictionary does not know, ``_collected`` writes the words down.
Words are those of jieba 0.42.1; like ``rjieba`` it also knows the Han characters beyond U+9FD5. Import it late: it needs numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.compiled import compiled
from triage.tree import ask, edge, may_go_on, place, word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.uint32]
    Marks = NDArray[np.uint8]

BLANK = 0x20
TOP = np.uint64(0)  # above the first characters of words
AHEAD = 6  # characters between asking memory for what one needs and needing it
CUT, ALONE, APART, STOP = range(4)  # what a character is: of a block that is cut, a word of its own, a blank, or a break
B, E, M, S = range(4)  # states of the HMM: a word begins, ends, goes on, is this character; the odd ones end it


class Tree(NamedTuple):
    """The dictionary and the tables of the HMM.

    ``slots`` are its tree of prefixes (``triage.tree``), whose words say which of ``logs``, the logarithms of probabilities, is theirs. ``unknown`` is
    the logarithm for a character that is no word.
    """

    slots: NDArray[np.uint64]
    logs: NDArray[np.float64]
    unknown: float
    emit: NDArray[np.float64]
    trans: NDArray[np.float64]
    start: NDArray[np.float64]


@compiled
def _is_alnum(code: int) -> bool:
    return 97 <= code <= 122 or 48 <= code <= 57 or 65 <= code <= 90


@compiled
def _kind(code: int) -> int:
    if 0x4E00 <= code <= 0x9FFF:
        return CUT
    if code < 0x3400:
        return APART if code == BLANK else STOP
    if code <= 0x4DBF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x2A6DF or 0x2A700 <= code <= 0x2EBEF or 0x2F800 <= code <= 0x2FA1F:
        return CUT
    return ALONE if code <= 0x4DFF or 0x20000 <= code <= 0x323AF else STOP  # rjieba does not cut these


@compiled
def _kinds(codes: Codes, kinds: Marks) -> None:
    """Write what each character is; letters and digits are of a block unless they are digits only."""
    at = 0
    while at < len(codes):
        first, bare = at, True
        while _is_alnum(codes[at]):
            bare &= codes[at] <= 57
            at += 1
        kinds[first:at] = STOP if bare else CUT
        kinds[at] = _kind(codes[at])
        at += 1


@compiled
def _routes(codes: Codes, kinds: Marks, tree: Tree) -> NDArray[np.int64]:
    """From each character of a block the end of the word on the likeliest way to the block's end; of two as likely ones the longer."""
    slots, logs, unknown = tree.slots, tree.logs, tree.unknown
    ends, best = np.empty(len(codes), np.int64), np.zeros(len(codes), np.float64)
    for at in range(len(codes) - 1, -1, -1):
        if at >= 2 * AHEAD:  # the second character's edge is known when the first one's has come
            ask(slots, edge(TOP, codes[at - 2 * AHEAD]))
            ask(slots, edge(place(slots, edge(TOP, codes[at - AHEAD])) + np.uint64(1), codes[at - AHEAD + 1]))
        if kinds[at] != CUT:
            continue
        likeliest, stop, here = -np.inf, at + 1, at
        above, goes_on = TOP, True
        while goes_on:
            above = place(slots, edge(above, codes[here])) + np.uint64(1)
            slot, here = slots[above - np.uint64(1)], here + 1
            if word(slot) and logs[word(slot)] + best[here] >= likeliest:
                likeliest, stop = logs[word(slot)] + best[here], here
            goes_on = kinds[here] == CUT and may_go_on(slot, codes[here])
        best[at] = likeliest if likeliest > -np.inf else unknown + best[at + 1]
        ends[at] = stop
    return ends


@compiled
def _ends(codes: Codes, kinds: Marks, routes: NDArray[np.int64], tree: Tree, marks: Marks) -> None:
    """Mark where a word ends: words of the best route, and what is found in the runs of single characters between them."""
    at = single = 0
    while at < len(codes):
        stop = routes[at] if kinds[at] == CUT else at + 1
        if stop > at + 1 or kinds[at] != CUT:
            if at > single + 1:
                _singles(codes, single, at, tree, marks)
            elif at > single:
                marks[single] = 1
            marks[stop - 1] = kinds[at] <= ALONE
            single = stop
        at = stop


@compiled
def _singles(codes: Codes, begin: int, end: int, tree: Tree, marks: Marks) -> None:
    """A run of single characters: as it is if the dictionary has it as a word, else as the HMM finds."""
    if _is_word(codes, begin, end, tree.slots):
        marks[begin:end] = 1
        return
    at = begin
    while at < end:
        han, stop = _is_modelled(codes[at]), at + 1
        while stop < end and _is_modelled(codes[stop]) == han and _is_alnum(codes[stop]) == _is_alnum(codes[at]):
            stop += 1
        if han:
            _viterbi(codes, at, stop, tree, marks)
        else:
            marks[stop - 1] = 1
        at = stop


@compiled
def _is_word(codes: Codes, begin: int, end: int, slots: NDArray[np.uint64]) -> bool:
    above = slot = np.uint64(0)
    for at in range(begin, end):
        above = place(slots, edge(above, codes[at])) + np.uint64(1)
        slot = slots[above - np.uint64(1)]
        if not slot:
            return False
    return bool(word(slot) != 0)


@compiled
def _is_modelled(code: int) -> bool:
    """``finalseg.re_han``."""
    return 0x4E00 <= code <= 0x9FD5


@compiled
def _viterbi(codes: Codes, begin: int, end: int, tree: Tree, marks: Marks) -> None:
    """The likeliest states; until they are known ``marks`` hold the state before each of the four, 2 bits for each."""
    emit, trans = tree.emit, tree.trans
    row = emit[codes[begin] - 0x4E00]
    b, e, m, s = tree.start[B] + row[B], tree.start[E] + row[E], tree.start[M] + row[M], tree.start[S] + row[S]
    for at in range(begin + 1, end):
        row = emit[codes[at] - 0x4E00]
        b_of_e, b_of_s = e + trans[E, B] + row[B], s + trans[S, B] + row[B]
        e_of_b, e_of_m = b + trans[B, E] + row[E], m + trans[M, E] + row[E]
        m_of_b, m_of_m = b + trans[B, M] + row[M], m + trans[M, M] + row[M]
        s_of_e, s_of_s = e + trans[E, S] + row[S], s + trans[S, S] + row[S]
        marks[at] = (
            (S if b_of_s >= b_of_e else E) | (M if e_of_m >= e_of_b else B) << 2 | (M if m_of_m >= m_of_b else B) << 4 | (S if s_of_s >= s_of_e else E) << 6
        )
        b, e, m, s = max(b_of_e, b_of_s), max(e_of_b, e_of_m), max(m_of_b, m_of_m), max(s_of_e, s_of_s)
    state = S if s >= e else E
    for at in range(end - 1, begin - 1, -1):
        before = (marks[at] >> (2 * state)) & 3
        marks[at] = state & 1
        state = before
    marks[end - 1] = 1


@compiled
def _collected(codes: Codes, kinds: Marks, marks: Marks, bounds: NDArray[np.int64]) -> tuple[Codes, NDArray[np.int32], NDArray[np.int64]]:
    text, starts, letters = np.empty(len(codes), np.uint32), np.empty(len(codes) + 1, np.int32), np.zeros(len(bounds), np.int64)
    size = n_words = 0
    for row in range(len(bounds) - 1):
        begins, stopped = True, False
        for at in range(bounds[row], bounds[row + 1]):
            if kinds[at] == STOP:
                stopped = True
            if (kinds[at] <= ALONE and stopped and n_words > letters[row]) or at == bounds[row + 1] - 1:
                starts[n_words], text[size] = size, BLANK
                n_words, size, stopped = n_words + 1, size + 1, False
            if kinds[at] <= ALONE:
                if begins:
                    starts[n_words] = size
                    n_words, stopped = n_words + 1, False
                text[size] = codes[at]
                size, begins = size + 1, marks[at] == 1
        letters[row + 1] = n_words
    starts[n_words] = size
    return text[:size], starts[: n_words + 1], letters


@compiled
def segment(codes: Codes, bounds: NDArray[np.int64], tree: Tree) -> tuple[Codes, NDArray[np.int32], NDArray[np.int64]]:
    """The words of a batch: letter ``i`` is ``codes[bounds[i]:bounds[i + 1]]``, lower case, and its last character is a line end.

    Returns the characters of all words, and a blank for each break; where each word or break starts, and the end of the last; and at
    which of these each letter begins, and the end of the last. Each letter ends with a break.
    """
    kinds, marks = np.empty(len(codes), np.uint8), np.zeros(len(codes), np.uint8)
    for row in range(len(bounds) - 1):  # what is known of a letter is then still in the nearest memory
        letter, kind, mark = codes[bounds[row] : bounds[row + 1]], kinds[bounds[row] : bounds[row + 1]], marks[bounds[row] : bounds[row + 1]]
        _kinds(letter, kind)
        _ends(letter, kind, _routes(letter, kind, tree), tree, mark)
    return _collected(codes, kinds, marks, bounds)
