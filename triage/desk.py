"""The path of a letter, whole: every step in order, one batch at a time. One letter is a batch of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models import store
from models.classifier import judgements
from models.compiled import bare
from models.errors import RefusedModelError
from triage import readable, routing
from triage.errors import ModelError
from triage.guards import Guards
from triage.letter import CategoryScore, Decision, PurposeScore, Reason, Term
from triage.normalise import normalised

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.classifier import Judgement
    from models.features import Words
    from models.store import Stored
    from triage.characters import Joined
    from triage.guards import Findings
    from triage.letter import Letter
    from triage.taxonomy import Taxonomy
    from triage.tokens import Segmenter

CATEGORY, PURPOSE = "category", "purpose"
TITLE_COUNTS = 3  # a title says the matter in a line; 1, 2 and 3 were tried (docs/decisions.md)
OPENING = 24  # characters that count twice where there is no title: people begin with what they want (docs/decisions.md)
PIECE = 256  # letters that are read together; what a thousand leave behind fits no near memory and takes up to a tenth more time
READS = {"normalise": 2, "tokens": 2, "features": 2, "hmm": True}  # raise a number when that room reads a letter otherwise than before


class Desk:
    """The letter desk: taxonomy, segmenter, guards and one model, ready to decide. Safe to share between threads.

    ``stored`` None is a desk without a model: every letter is then "not classified", for a person.
    """

    def __init__(self, taxonomy: Taxonomy, segmenter: Segmenter, stored: Stored | None) -> None:
        self.taxonomy, self.segmenter, self.stored = taxonomy, segmenter, stored
        self.guards = Guards(taxonomy)
        self._labels = {label.code: label for label in routing.labels(list(taxonomy.departments), taxonomy)}
        if stored:
            _check_fits(stored, taxonomy, segmenter)
            model = stored.model
            category, purpose = model.head(CATEGORY), model.head(PURPOSE)
            self._question = model.asked(category, routing.desks(category.labels, taxonomy))
            self._bare_question, self._n_heads = bare(self._question), len(model.heads)
            self._names = [(code, taxonomy.categories[code].name, taxonomy.domain_of(code).name) for code in category.labels]
            self._thresholds = category.send_thresholds
            self._purposes, self._purpose = [(code, taxonomy.purposes[code].name) for code in purpose.labels], model.heads.index(purpose)

    def decide(self, letters: Sequence[Letter]) -> list[Decision]:
        """One decision a letter, in order; each the same alone and in any batch."""
        if self.stored is None:
            return [self._not_classified(letter, readable.NO_MODEL) for letter in letters]
        return [decision for begin in range(0, len(letters), PIECE) for decision in self._read(letters[begin : begin + PIECE])]

    def _read(self, letters: Sequence[Letter]) -> list[Decision]:
        texts, titled = _looked_at(letters)
        words, judged, signs = self.segmenter.judged(*texts, titled, (TITLE_COUNTS, OPENING), self._bare_question)
        findings = self.guards.read(*texts)
        decisions = []
        for letter, judgement, seen, found in zip(letters, judgements(judged, words, self._n_heads), signs.tolist(), findings, strict=True):
            why_not = readable.why_not(letter.text, seen, judgement.known)
            decisions.append(self._not_classified(letter, why_not) if why_not else self._decided(letter, judgement, found))
        return decisions

    def _decided(self, letter: Letter, judged: Judgement, findings: Findings) -> Decision:
        candidates = [CategoryScore(*self._names[label], chance) for label, chance in judged.candidates]
        category, (label, chance) = candidates[judged.chosen], judged.runner_up
        second, threshold = CategoryScore(*self._names[label], chance), self._thresholds[judged.candidates[judged.chosen][0]]
        purpose, chance = judged.best[self._purpose]
        way = routing.route(routing.Judged(category, second, threshold, findings), self.taxonomy, self.guards)
        return Decision(
            letter=letter.id,
            category=category,
            candidates=tuple(candidates),
            purpose=PurposeScore(*self._purposes[purpose], chance),
            lead=self._labels[way.lead],
            co_handlers=tuple([self._labels[code] for code in way.co_handlers]),
            disposition=way.disposition,
            needs_review=way.needs_review,
            reasons=tuple(way.reasons),
            why=tuple(map(Term, judged.terms, judged.moves)),
            model=self.version,
            taxonomy=self.taxonomy.version,
        )

    def _not_classified(self, letter: Letter, reason: Reason) -> Decision:
        return Decision(letter.id, None, (), None, None, (), None, True, (reason,), (), self.version, self.taxonomy.version)

    @property
    def version(self) -> str | None:
        """The version of the model that decides, None without one."""
        return self.stored.version if self.stored else None


def read(letters: Sequence[Letter], segmenter: Segmenter) -> Words:
    """The words of letters: those of a title count ``TITLE_COUNTS`` times, without one the ``OPENING`` twice."""
    from triage.characters import weighted

    texts, titled = _looked_at(letters)
    return segmenter.words(*weighted(*texts, titled, TITLE_COUNTS, OPENING))


def _looked_at(letters: Sequence[Letter]) -> tuple[Joined, NDArray[np.bool_]]:
    """The letters' normalised texts, joined, and which letters have a title."""
    return normalised([letter.text for letter in letters]), np.array([letter.title != "" for letter in letters])


def open_desk(home: Path, taxonomy: Taxonomy, segmenter: Segmenter, *, version: str | None = None) -> Desk:
    """The desk of an office with its live model or another ``version``, or without one when it has none. Raises ModelError when it is refused."""
    from triage import golden  # it reads letters as this room does

    try:
        version = version or store.current(model_folder(home))
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
