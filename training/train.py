"""Labelled letters to a model folder."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import numpy as np

from models import learning, store
from models.features import grams
from models.learning import Question
from training.labelled import LabelledLetter, starter_letters
from triage.desk import CATEGORY, PURPOSE, READS, model_folder, read
from triage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from models.classifier import CategoryModel
    from triage.taxonomy import Taxonomy
    from triage.tokens import Segmenter

    Progress = Callable[[str, float], None]


def ensure_model(home: Path, taxonomy: Taxonomy, segmenter: Segmenter, told: Progress) -> str:
    """The office's live version; on first use the starter model is trained from our own letters and made live."""
    with _storage(home):
        live = store.current(model_folder(home))
    return live or train_starter(home, taxonomy, segmenter, told=told)


def train_starter(home: Path, taxonomy: Taxonomy, segmenter: Segmenter, *, told: Progress) -> str:
    """Train the starter model and make it live, whatever was live before."""
    return train(home, starter_letters(taxonomy), taxonomy, segmenter, told=told, source="starter")


def train(home: Path, letters: Sequence[LabelledLetter], taxonomy: Taxonomy, segmenter: Segmenter, *, told: Progress, source: str) -> str:
    """Fit, save, make live; returns the version. Raises StorageError when the office's folder cannot be written."""
    batch = [read(labelled.letter, segmenter)[1] for labelled in letters]
    questions = [
        Question(CATEGORY, [labelled.category for labelled in letters], [labelled.second for labelled in letters]),
        Question(PURPOSE, [labelled.purpose for labelled in letters]),
    ]
    groups = [labelled.letter.id for labelled in letters]
    model, scores = learning.fit(batch, questions, groups, told=told)
    version = store.new_version()
    with _storage(home):
        store.save(model_folder(home), version, model, _terms(model, batch), _card(letters, scores, taxonomy, segmenter, source))
        store.make_current(model_folder(home), version)
    return version


@contextmanager
def _storage(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{home}: cannot be used ({error.strerror or error}). The office's folder must be writable and have room. Set TRIAGE_HOME to another folder, or free space."
        ) from error


def _card(letters: Sequence[LabelledLetter], scores: dict[str, dict[str, float]], taxonomy: Taxonomy, segmenter: Segmenter, source: str) -> dict[str, Any]:
    digest = hashlib.sha256("\n".join(f"{item.letter.text}\t{item.category}\t{item.purpose}" for item in letters).encode("utf-8", "replace"))
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_with": {name: installed(name) for name in ("letter-triage", "scikit-learn", "numpy", "rjieba", "opencc")} | {"python": platform.python_version()},
        "reads": READS,
        "dictionary": segmenter.checksum,
        "taxonomy": taxonomy.version,
        "source": source,
        "letters": {"count": len(letters), "sha256": digest.hexdigest(), "by_category": dict(Counter(item.category for item in letters))},
        "held_out": scores,
    }


def _terms(model: CategoryModel, batch: list[list[str]]) -> list[str]:
    """The vocabulary as people read it, in the order of its keys."""
    found = grams(batch)
    keys, first = np.unique(found.keys, return_index=True)
    return [found.term(int(first[at])) for at in np.searchsorted(keys, model.vocabulary.keys)]
