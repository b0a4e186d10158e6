"""A tree of prefixes in one array, and words looked up in it, compiled. Import it late: it needs numba.

A slot is a hashed edge: 22 bits of the place of the one above + 1 (0 at the top), 21 of character, 16 that say which word ends here (0: none),
and 5 of which one is set for each character that goes on from here, by its code modulo 5: many that do not go on are told without a look at memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.ahead import fetch
from models.compiled import compiled
from triage.errors import TaxonomyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Slots = NDArray[np.uint64]

MOST_WORDS = 0xFFFF
NEXT = np.uint64(5)


@compiled
def _first(slots: Slots, edge: np.uint64) -> np.uint64:
    return ((edge * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) & np.uint64(len(slots) - 1)


@compiled
def place(slots: Slots, edge: np.uint64) -> np.uint64:
    """Where an edge stands, or the free place where it would."""
    at = _first(slots, edge)
    while slots[at] and slots[at] >> np.uint64(21) != edge:
        at = (at + np.uint64(1)) & np.uint64(len(slots) - 1)
    return at


@compiled
def ask(slots: Slots, edge: np.uint64) -> None:
    """Ask memory for an edge that will be looked for soon."""
    fetch(slots, _first(slots, edge))


@compiled
def edge(above: np.uint64, code: int) -> np.uint64:
    """The edge from the place above + 1 by a character."""
    return (np.uint64(above) << np.uint64(21)) | np.uint64(code)


@compiled
def word(slot: np.uint64) -> np.uint64:
    """The word that ends at a slot, 0 for none."""
    return (slot >> NEXT) & np.uint64(MOST_WORDS)


@compiled
def may_go_on(slot: np.uint64, code: int) -> bool:
    """Whether there may be an edge from here by a character; where this is false there is none."""
    return bool((slot >> (np.uint64(code) % NEXT)) & np.uint64(1) != 0)


@compiled
def grow(slots: Slots, parents: NDArray[np.int64], characters: NDArray[np.int64], words: NDArray[np.int64]) -> None:
    """Enter a tree whose node ``i + 1`` has the parent ``parents[i]`` and is the end of ``words[i]``, 0 for none; parents come first."""
    places = np.zeros(len(parents) + 1, np.uint64)
    for i in range(len(parents)):
        here = edge(places[parents[i]], characters[i])
        at = place(slots, here)
        slots[at] = (here << np.uint64(21)) | (np.uint64(words[i]) << NEXT)
        places[i + 1] = at + np.uint64(1)
        if parents[i]:
            slots[places[parents[i]] - np.uint64(1)] |= np.uint64(1) << (np.uint64(characters[i]) % NEXT)


def of_words(words: Sequence[str]) -> Slots:
    """A tree of words; the first is word 1. Raises TaxonomyError for more than a slot can number."""
    if len(words) > MOST_WORDS:
        raise TaxonomyError(f"guards and departments: {len(words)} words and names. Allowed are {MOST_WORDS}. Remove those that no letter uses.")
    nodes: dict[tuple[int, str], int] = {}
    ends: dict[int, int] = {}
    for number, word in enumerate(words, 1):
        node = 0
        for character in word:
            node = nodes.setdefault((node, character), len(nodes) + 1)
        ends[node] = number
    slots = np.zeros(1 << (2 * len(nodes) + 2).bit_length(), np.uint64)
    edges = np.array([(parent, ord(character)) for parent, character in nodes], np.int64).reshape(-1, 2)
    grow(slots, edges[:, 0].copy(), edges[:, 1].copy(), np.array([ends.get(node, 0) for node in nodes.values()], np.int64))
    return slots


@compiled
def longest(codes: NDArray[np.uint32], at: int, slots: Slots) -> tuple[np.int64, int]:
    """The longest word that begins at a character, 0 for none, and where it ends."""
    found, stop, here, above, goes_on = np.int64(0), at, at, np.uint64(0), True
    while goes_on:
        above = place(slots, edge(above, codes[here])) + np.uint64(1)
        slot, here = slots[above - np.uint64(1)], here + 1
        if word(slot):
            found, stop = np.int64(word(slot)), here
        goes_on = here < len(codes) and may_go_on(slot, codes[here])
    return found, stop
