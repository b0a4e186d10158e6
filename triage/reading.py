"""One compiled call from normalised letters to all that a decision needs of words and model. Import it late: it needs numba.

Between two calls letters would become arrays that Python holds, ten of them, which takes longer for a single letter than to cut it into words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.classifier import Curves
from models.compiled import compiled
from models.judging import Question, judge
from models.lookup import Known
from models.weights import Weights
from triage.characters import weighted
from triage.lost import counts
from triage.segment import Tree, segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.compiled import Bare
    from models.judging import Judged


@compiled
def judged(
    codes: NDArray[np.uint32], bounds: NDArray[np.int64], titled: NDArray[np.bool_], weights: tuple[int, int], tree: Bare, question: Bare
) -> tuple[NDArray[np.uint32], Judged, NDArray[np.int64]]:
    """The characters of the words (``triage.segment``), what the model says of each letter, and how much of it can be read (``triage.lost``).

    ``weights``: how often a title counts, and how long the opening of a letter without one is that counts twice. ``tree`` and ``question`` are the
    bare tuples (``models.compiled.bare``) of a ``Tree`` and a ``Question``.
    """
    known, model, curves, head, groups, floor, limit = question
    lines, ends = weighted(codes, bounds, titled, weights[0], weights[1])
    words = segment(lines, ends, Tree(*tree))
    return (
        words[0],
        judge(words, Question(Known(*known), Weights(*model), Curves(*curves), head, groups, floor, limit)),
        counts(words[0], words[1], words[2], codes, bounds),
    )
