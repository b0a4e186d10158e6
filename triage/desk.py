"""The path of a letter, whole: every step in order, one batch at a time. One letter is a batch of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models import store
from models.errors import RefusedModelError
from triage import readable, routing
from triage.errors import ModelError
from triage.guards import Guards
from triage.letter import CategoryScore, Decision, PurposeScore, Reason, Term
from triage.normalise import normalise
from triage.tokens import BREAK, HMM, Segmenter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.classifier import CategoryModel, Reading
    from models.store import Stored
    from triage.letter import Letter
    from triage.taxonomy import Taxonomy

CATEGORY, PURPOSE = "category", "purpose"
TITLE_COUNTS = 3  # a title says the matter in a line; 1, 2 and 3 were tried (docs/decisions.md)
OPENING = 12  # words that count twice where there is no title: people begin with what they want; 0, 10, 15 were tried
READS = {"normalise": 1, "tokens": 2, "features": 2, "hmm": HMM}  # raise a number when that room reads a letter otherwise than before


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch and its probabilities: ``categories`` (n_letters, n_categories) and ``purposes`` (n_letters, n_purposes)."""

    reading: Reading
    categories: NDArray[np.float32]
    purposes: NDArray[np.float32]


class Desk:
    """The letter desk: taxonomy, segmenter, guards and one model, ready to decide. Safe to share between threads.

    ``stored`` None is a desk without a model: every letter is then "not classified", for a person.
    """

    def __init__(self, taxonomy: Taxonomy, segmenter: Segmenter, stored: Stored | None) -> None:
        self.taxonomy, self.segmenter, self.stored = taxonomy, segmenter, stored
        self.guards = Guards(taxonomy)
        if stored:
            _check_fits(stored, taxonomy, segmenter)
            self._desks = routing.desks(stored.model.head(CATEGORY).labels, taxonomy)

    def decide(self, letters: Sequence[Letter]) -> list[Decision]:
        """One decision a letter, in order; each the same alone and in any batch."""
        if self.stored is None or not letters:
            return [self._not_classified(letter, readable.NO_MODEL) for letter in letters]
        texts, tokens = zip(*(read(letter, self.segmenter) for letter in letters), strict=True)
        model = self.stored.model
        reading = model.read(tokens)
        scored = Scored(reading, *(model.scores(reading, model.head(name)) for name in (CATEGORY, PURPOSE)))
        decisions = []
        for row, (letter, text) in enumerate(zip(letters, texts, strict=True)):
            why_not = readable.why_not(letter.text, text, tokens[row], float(reading.known[row]))
            decisions.append(self._not_classified(letter, why_not) if why_not else self._decided(letter, text, model, scored, row))
        return decisions

    def _decided(self, letter: Letter, text: str, model: CategoryModel, scored: Scored, row: int) -> Decision:
        head, chances = model.head(CATEGORY), scored.categories[row].tolist()
        chosen, runner_up = routing.choose(scored.categories[row], self._desks)
        likely = sorted((i for i, chance in enumerate(chances) if chance >= head.candidate_floor or i == chosen), key=lambda i: -chances[i])
        candidates = tuple(self._category(head.labels[i], chances[i]) for i in likely)
        category, second = candidates[likely.index(chosen)], self._category(head.labels[runner_up], chances[runner_up])
        purpose = self._purpose(model.head(PURPOSE).labels, scored.purposes[row])
        judged = routing.Judged(category, second, head.send_thresholds[chosen], self.guards.read(text))
        way = routing.route(judged, self.taxonomy, self.guards)
        why = tuple(Term(term, weight) for term, weight in model.why(scored.reading, row, head, chosen))
        lead, *co_handlers = routing.labels([way.lead, *way.co_handlers], self.taxonomy)
        return Decision(
            letter=letter.id,
            category=category,
            candidates=candidates,
            purpose=purpose,
            lead=lead,
            co_handlers=tuple(co_handlers),
            disposition=way.disposition,
            needs_review=way.needs_review,
            reasons=tuple(way.reasons),
            why=why,
            model=self.version,
            taxonomy=self.taxonomy.version,
        )

    def _not_classified(self, letter: Letter, reason: Reason) -> Decision:
        return Decision(letter.id, None, (), None, None, (), None, True, (reason,), (), self.version, self.taxonomy.version)

    def _category(self, code: str, probability: float) -> CategoryScore:
        return CategoryScore(code, self.taxonomy.categories[code].name, self.taxonomy.domain_of(code).name, round(probability, 4))

    def _purpose(self, codes: Sequence[str], probabilities: NDArray[np.float32]) -> PurposeScore:
        best = int(np.argmax(probabilities))
        return PurposeScore(codes[best], self.taxonomy.purposes[codes[best]].name, round(float(probabilities[best]), 4))

    @property
    def version(self) -> str | None:
        """The version of the model that decides, None without one."""
        return self.stored.version if self.stored else None


def read(letter: Letter, segmenter: Segmenter) -> tuple[str, list[str]]:
    """A letter's normalised text, and its tokens: those of a title count ``TITLE_COUNTS`` times, without one the ``OPENING`` twice."""
    text = normalise(letter.text)
    if not letter.title:
        tokens = segmenter.tokens(text)
        return text, [*tokens[:OPENING], BREAK, *tokens] if len(tokens) > 2 * OPENING else tokens
    title, _, body = text.partition("\n")
    return text, [*(TITLE_COUNTS * [*segmenter.tokens(title), BREAK]), *segmenter.tokens(body)]


def open_desk(home: Path, taxonomy: Taxonomy, segmenter: Segmenter) -> Desk:
    """The desk of an office with its live model, or without one when it has none. Raises ModelError when the live one is refused."""
    from triage import golden  # it reads letters as this room does

    try:
        version = store.current(model_folder(home))
        stored = store.load(model_folder(home), version) if version else None
    except RefusedModelError as error:
        raise ModelError(str(error)) from error
    desk = Desk(taxonomy, segmenter, stored)
    if stored:
        golden.check(stored, segmenter)
    return desk


def model_folder(home: Path) -> Path:
    """Where an office keeps its models."""
    return home / "models"


def _check_fits(stored: Stored, taxonomy: Taxonomy, segmenter: Segmenter) -> None:
    where = f"model {stored.version}"
    if stored.card.get("reads") != READS or stored.card.get("dictionary") != segmenter.checksum:
        raise ModelError(
            f"{where}: made for another dictionary or another release's reading of letters. Words must be cut as they were in training. Run `triage init --again`, or retrain."
        )
    heads = {head.name for head in stored.model.heads}
    if not {CATEGORY, PURPOSE} <= heads:
        raise ModelError(f"{where}: answers {', '.join(sorted(heads))} only. A model answers {CATEGORY} and {PURPOSE}. Retrain.")
    taxonomy.check_knows(list(stored.model.head(CATEGORY).labels), where)
