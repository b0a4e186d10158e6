"""Labelled letters to a candidate model, saved with its promises, its comparison with the live model, and a report to look at."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import numpy as np

from models import learning, store
from models.learning import Options, Question
from models.linear import Settings
from training import duplicates
from training.answers import SEEN, marks, reader
from training.checks import unlearnable
from training.labelled import LabelledLetter, starter_letters
from training.promote import Asked, golden_letters, promote, storage
from triage import golden
from triage.desk import CATEGORY, PURPOSE, READS, model_folder
from triage.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.learning import Learned
    from training.labelled import Labelled
    from triage.taxonomy import Taxonomy
    from triage.tokens import Segmenter

    Progress = Callable[[str, float], None]

STARTER = Settings(cost=0.5, emphasis=0.5, balance=0.0, bayes=0.3)  # chosen on real letters (docs/decisions.md), not on letters of our own
MOST = 120_000  # letters that are learned from: the bound of memory (docs/training.md); of larger categories an even share is drawn


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from: the first ``own`` letters are the files', those behind them starter letters; ``groups`` (n,) of near-duplicates.

    ``categories`` is False for starter letters that only teach the purposes. ``given`` are all letters of the files with their
    ``given_groups``, those that cannot be learned too, and ``kept`` (own,) says which of them are learned. ``notes`` say what was left out.
    """

    letters: tuple[LabelledLetter, ...]
    own: int
    groups: NDArray[np.int64]
    settings: Settings | None = None
    categories: bool = True
    given: tuple[LabelledLetter, ...] = ()
    given_groups: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    kept: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    notes: tuple[str, ...] = ()

    @property
    def taught(self) -> tuple[LabelledLetter, ...]:
        """The letters whose category was learned."""
        return self.letters if self.categories else self.mine

    @property
    def mine(self) -> tuple[LabelledLetter, ...]:
        """The letters of the files."""
        return self.letters[: self.own]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A learned model that has its version but is not saved; ``facts`` are entries of its card."""

    version: str
    lesson: Lesson
    learned: Learned
    facts: dict[str, Any] = field(default_factory=dict)


def ensure_model(home: Path, taxonomy: Taxonomy, segmenter: Segmenter, told: Progress) -> str:
    """The office's live version; on first use the starter model is trained from our own letters and made live."""
    with storage(home):
        live = store.current(model_folder(home))
    return live or train_starter(home, taxonomy, segmenter, told=told)


def train_starter(home: Path, taxonomy: Taxonomy, segmenter: Segmenter, *, told: Progress) -> str:
    """Train the starter model and make it live, whatever was live before."""
    letters = tuple(starter_letters(taxonomy))
    lesson = Lesson(letters, len(letters), np.arange(len(letters)), STARTER)
    learned = learn(lesson, segmenter, Options(), told)
    version = save(home, Candidate(store.new_version(), lesson, learned, {"source": "starter", "who": "init"}), taxonomy, segmenter)
    promote(home, version, taxonomy, segmenter, Asked("init", why="starter model", force=True))
    return version


def prepare(labelled: Labelled, taxonomy: Taxonomy, *, starter: float, seed: int) -> Lesson:
    """The letters to learn from: at most ``MOST``, categories that cannot be learned left out, starter letters of weight ``starter`` added.

    Files with categories of their own take only the purposes from the starter letters. Raises InputError when fewer than two
    categories are left.
    """
    letters = _drawn(labelled.letters, seed)
    groups = duplicates.groups([item.letter.text for item in letters])
    lost = set(unlearnable([item.category for item in letters], groups))
    kept = [at for at, item in enumerate(letters) if item.category not in lost]
    categories = starter > 0 and not labelled.own_labels
    _check_enough(labelled, {letters[at].category for at in kept}, categories)
    own = tuple(letters[at] for at in kept)
    added = [replace(item, weight=starter or 1.0) for item in starter_letters(taxonomy)]
    all_groups = np.concatenate([groups[kept], len(letters) + np.arange(len(added))])
    lesson = Lesson((*own, *added), len(own), all_groups, categories=categories, notes=tuple(_left_out(labelled, letters, lost)))
    return replace(lesson, given=tuple(letters), given_groups=groups, kept=np.array(kept))


def _drawn(letters: Sequence[LabelledLetter], seed: int, most: int = MOST) -> list[LabelledLetter]:
    """At most ``most`` letters, in their order: every category keeps all it has up to the same number."""
    if len(letters) <= most:
        return list(letters)
    sizes = np.array(sorted(Counter(item.category for item in letters).values()))
    each = next(limit for limit in range(int(sizes[-1]), 0, -max(1, int(sizes[-1]) // 1000)) if np.minimum(sizes, limit).sum() <= most or limit == 1)
    order = np.random.default_rng(seed).permutation(len(letters))
    taken: Counter[str] = Counter()
    kept = []
    for at in order.tolist():
        if taken[letters[at].category] < each:
            taken[letters[at].category] += 1
            kept.append(at)
    return [letters[at] for at in sorted(kept)]


def _check_enough(labelled: Labelled, categories: set[str], starter: bool) -> None:
    if len(categories) > 1 or (starter and categories):
        return
    raise InputError(
        f"{', '.join(source.name for source in labelled.sources)}: fewer than two categories have two letters that differ. "
        "A model learns to tell at least two categories apart. Add letters, and train again.",
        kind="not-enough-classes",
    )


def _left_out(labelled: Labelled, letters: Sequence[LabelledLetter], lost: set[str]) -> Iterator[str]:
    if len(letters) < len(labelled.letters):
        yield f"{len(labelled.letters):,} letters: {len(letters):,} are drawn to learn from, evenly from the largest categories"
    if lost:
        yield f"left out, since no two of their letters differ: {len(lost)} categories"


def learn(lesson: Lesson, segmenter: Segmenter, options: Options, told: Progress) -> Learned:
    """Fit both questions. Raises StorageError ("out-of-memory") when the machine cannot hold it."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    words = reader([item.letter for item in lesson.letters], segmenter)
    try:
        return learning.fit(words, _questions(lesson), lesson.groups, options=options, told=told)
    except (MemoryError, TerminatedWorkerError) as error:
        raise StorageError(
            f"training: {len(lesson.letters):,} letters do not fit into this machine's memory. docs/training.md says what is needed. "
            "Close other programs, train on a larger machine, or with fewer letters.",
            kind="out-of-memory",
        ) from error


def _questions(lesson: Lesson) -> list[Question]:
    asked = len(lesson.letters) if lesson.categories else lesson.own
    rest = [""] * (len(lesson.letters) - asked)
    weights = [item.weight for item in lesson.letters]
    category = Question(
        CATEGORY,
        [item.category for item in lesson.letters[:asked]] + rest,
        [item.second for item in lesson.letters[:asked]] + rest,
        weights,
        lesson.settings,
    )
    purpose = Question(PURPOSE, [item.purpose for item in lesson.letters], weights=weights, settings=STARTER)
    return [category, purpose] if len(set(purpose.labels) - {""}) > 1 else [category]


def save(home: Path, candidate: Candidate, taxonomy: Taxonomy, segmenter: Segmenter) -> str:
    """Save a candidate beside the live model. Raises StorageError when the office's folder cannot be written."""
    learned, lesson = candidate.learned, candidate.lesson
    card = _card(candidate, taxonomy, segmenter) | candidate.facts
    with storage(home):
        store.save(model_folder(home), candidate.version, learned.model, learned.terms, card, also={SEEN: np.unique(marks(lesson.taught))})
    return candidate.version


def _card(candidate: Candidate, taxonomy: Taxonomy, segmenter: Segmenter) -> dict[str, Any]:
    letters = candidate.lesson.letters
    digest = sha256("\n".join(f"{item.letter.text}\t{item.category}\t{item.purpose}" for item in letters).encode("utf-8", "replace"))
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_with": {name: installed(name) for name in ("letter-triage", "scikit-learn", "numpy", "numba", "opencc")} | {"python": platform.python_version()},
        "reads": READS,
        "dictionary": segmenter.checksum,
        "taxonomy": taxonomy.version,
        "letters": {"count": len(letters), "sha256": digest.hexdigest(), "by_category": dict(Counter(item.category for item in letters))},
        "settings": {name: asdict(found.settings) for name, found in candidate.learned.held_out.items()},
        "held_out": {name: _score(found) for name, found in candidate.learned.held_out.items()},
        "golden": golden.decided(candidate.learned.model, segmenter, golden_letters()),
    }


def _score(found: learning.HeldOut) -> dict[str, float]:
    from sklearn.metrics import f1_score

    from models.calibration import expected_calibration_error

    said = found.probabilities.argmax(axis=1)
    return {
        "accuracy": round(float((said == found.truth).mean()), 4),
        "macro_f1": round(float(f1_score(found.truth, said, average="macro", zero_division=0)), 4),
        "calibration_error": round(expected_calibration_error(found.probabilities, found.truth), 4),
    }
