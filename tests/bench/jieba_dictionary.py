"""Builds triage/data/jieba.npz: the dictionary and the tables of jieba 0.42.1 (MIT, triage/data/jieba-LICENSE) as arrays.

    python tests/bench/jieba_dictionary.py

The words become a tree of prefixes, level by level: node ``i + 1`` has the parent ``parents[i]``, the character ``characters[i]`` and, where a
word ends there, its frequency. States of the hidden Markov model stand in the order B, E, M, S, as jieba's ``max`` compares them.
"""

from pathlib import Path

import numpy as np
from jieba import finalseg
from jieba.finalseg.prob_emit import P as EMIT
from jieba.finalseg.prob_start import P as START
from jieba.finalseg.prob_trans import P as TRANS

OUT = Path(__file__).parent.parent.parent / "triage" / "data" / "jieba.npz"
STATES = "BEMS"
FIRST, LAST = 0x4E00, 0x9FD5  # finalseg.re_han


def tree(words):
    """Parents, characters and frequencies of the nodes of ``words``, shorter prefixes first."""
    prefixes = sorted({word[:size] for word in words for size in range(1, len(word) + 1)}, key=lambda prefix: (len(prefix), prefix))
    number = {"": 0} | {prefix: at for at, prefix in enumerate(prefixes, 1)}
    parents = np.array([number[prefix[:-1]] for prefix in prefixes], np.int32)
    characters = np.array([ord(prefix[-1]) for prefix in prefixes], np.int32)
    return parents, characters, np.array([words.get(prefix, 0) for prefix in prefixes], np.int32)


def main() -> None:
    lines = (Path(finalseg.__file__).parent.parent / "dict.txt").read_text("utf-8").splitlines()
    entries = [(word, int(frequency)) for word, frequency, *_ in (line.split(" ") for line in lines)]
    parents, characters, frequencies = tree(dict(entries))
    total = np.array(sum(frequency for _, frequency in entries))  # jieba counts the word that stands there twice twice
    emit = np.array([[EMIT[state].get(chr(code), finalseg.MIN_FLOAT) for state in STATES] for code in range(FIRST, LAST + 1)])
    trans = np.array([[TRANS[before].get(after, finalseg.MIN_FLOAT) for after in STATES] for before in STATES])
    start = np.array([START[state] for state in STATES])
    np.savez_compressed(OUT, parents=parents, characters=characters, frequencies=frequencies, total=total, emit=emit, trans=trans, start=start)
    print(f"{len(parents)} prefixes, {np.count_nonzero(frequencies)} words, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
