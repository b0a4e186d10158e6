"""Golden letters: a model carries a few letters of ours and what it said of them when it was made, and must say the same on this machine.

A checksum shows that the files are whole. It does not show that another processor, segmenter or release reads letters as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.desk import CATEGORY, PURPOSE, read
from triage.errors import ModelError
from triage.letter import Letter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from models.classifier import CategoryModel, Head
    from models.store import Stored
    from triage.tokens import Segmenter

GOLDEN = "golden"  # the entry of a card
TOLERANCE = 1e-4  # of a probability: the last place that a decision shows
QUESTIONS = {CATEGORY: "probability", PURPOSE: "purpose_probability"}  # a head, and where its probability stands
ANSWERS = (*QUESTIONS, *QUESTIONS.values())
FIELDS = {"id", "title", "body", *ANSWERS}


def decided(model: CategoryModel, segmenter: Segmenter, letters: Sequence[Letter]) -> list[dict[str, Any]]:
    """What a card keeps: each letter with its likeliest category and purpose; a purpose is None where the model was never asked.

    Probabilities are rounded to six places. A letter's ``id``, ``title`` and ``body`` are kept, so they must be ours.
    """
    golden = [{"id": letter.id, "title": letter.title, "body": letter.body} | dict.fromkeys(ANSWERS) for letter in letters]
    for head, chances in _answers(model, segmenter, letters):
        for entry, row in zip(golden, chances, strict=True):
            best = int(row.argmax())
            entry |= {head.name: head.labels[best], QUESTIONS[head.name]: round(float(row[best]), 6)}
    return golden


def check(stored: Stored, segmenter: Segmenter) -> None:
    """Raise ModelError that names the golden letters which the model decides otherwise than on the day it was made."""
    golden = stored.card.get(GOLDEN)
    if not golden or not all(isinstance(entry, dict) and entry.keys() >= FIELDS for entry in golden):
        raise _failed(f"model {stored.version}: its card has no golden letters. A model shows on every machine that it decides as it did. Retrain.")
    letters = [Letter(entry["body"], title=entry["title"], id=entry["id"]) for entry in golden]
    differ = {number for head, chances in _answers(stored.model, segmenter, letters) for number in _otherwise(head, chances, golden)}
    if differ:
        named = ", ".join(letters[number].id for number in sorted(differ))
        raise _failed(
            f"model {stored.version}: decides {len(differ)} of {len(letters)} golden letters otherwise than when it was made ({named}). "
            f"No probability may differ by more than {TOLERANCE}. Install the versions on its card (`triage models show`), roll back, or retrain here."
        )


def _answers(model: CategoryModel, segmenter: Segmenter, letters: Sequence[Letter]) -> list[tuple[Head, NDArray[np.float32]]]:
    """The heads that a desk uses, each with its probabilities (n_letters, n_labels)."""
    reading = model.read(read(letters, segmenter))
    return [(head, model.scores(reading, head)) for head in model.heads if head.name in QUESTIONS]


def _otherwise(head: Head, chances: NDArray[np.float32], golden: list[dict[str, Any]]) -> list[int]:
    """The rows whose label is another now, or whose probability moved. Two labels equally likely are a tie, which may fall either way."""
    return [number for number, (row, entry) in enumerate(zip(chances, golden, strict=True)) if not _same(head, row, entry)]


def _same(head: Head, row: NDArray[np.float32], entry: dict[str, Any]) -> bool:
    label, probability = entry[head.name], entry[QUESTIONS[head.name]]
    if label not in head.labels or probability is None:
        return False
    now = float(row[head.labels.index(label)])
    return abs(now - probability) <= TOLERANCE and float(row.max()) - now <= TOLERANCE  # false for what is no number


def _failed(message: str) -> ModelError:
    return ModelError(message, kind="model-selftest-failed")
