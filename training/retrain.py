"""What staff ask for with their files: is the data good, train a candidate, is it better than the live model."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from models import store
from models.disk import locked
from models.errors import RefusedModelError
from models.learning import Options
from models.linear import Settings
from training import account, answers, corrections, report
from training.checks import Findings, findings, summary
from training.evaluate import Comparison, Flip, Scores, flips, scores
from training.promote import find, storage
from training.train import STARTER, Candidate, learn, prepare, save
from triage.desk import CATEGORY, READS, model_folder
from triage.errors import BusyError, InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from models.learning import Learned
    from models.store import Stored
    from training.evaluate import Answers
    from training.labelled import Labelled, LabelledLetter
    from training.train import Lesson
    from triage.taxonomy import Taxonomy
    from triage.tokens import Segmenter

    Progress = Callable[[str, float], None]

MIN_COMPARED = 30  # letters that the live model has not seen: with fewer nothing can be said
REPORTS = "reports"  # in the office's folder
PLAIN = Settings(bayes=0.3)  # good enough to look at the data by


@dataclass(frozen=True, slots=True)
class Office:
    """Where a command works: the office's folder, its taxonomy and its way of cutting words."""

    home: Path
    taxonomy: Taxonomy
    segmenter: Segmenter


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a training run is asked for.

    ``starter`` is the weight of a starter letter beside a letter of the files; without ``search`` the settings are the starter model's.
    """

    options: Options
    starter: float
    who: str
    search: bool = True


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training run: the version, its figures on letters held out, and the files to look at."""

    version: str
    scores: Scores
    comparison: Comparison | None
    findings: Findings
    report: Path
    list: Path
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A model on a file's letters; ``learned_from`` of them it has seen in training. ``live`` and what follows only against another model."""

    version: str
    scores: Scores
    learned_from: int
    against: str = ""
    live: Scores | None = None
    comparison: Comparison | None = None
    flips: tuple[Flip, ...] = ()


def check(office: Office, labelled: Labelled, path: Path, told: Progress) -> tuple[Findings, Path]:
    """Look for what is wrong with labelled letters and write the list for the clerk to ``path``; nothing is saved in the office."""
    lesson = prepare(labelled, office.taxonomy, starter=0.0, seed=0)
    only = replace(lesson, letters=lesson.mine, groups=lesson.groups[: lesson.own], settings=PLAIN)
    learned = learn(only, office.segmenter, Options(), told)
    found = _findings(office, lesson, learned)
    return found, _list(office, lesson, found, path)


def train(office: Office, labelled: Labelled, wanted: Wanted, told: Progress, *, list_to: Path) -> Trained:
    """Train a candidate from the office's files and save it beside the live model, with its report and the list for the clerk.

    Raises BusyError when the office is training already, InputError for letters that nothing can be learned from.
    """
    with _alone(office.home):
        lesson = prepare(labelled, office.taxonomy, starter=wanted.starter, seed=wanted.options.seed)
        lesson = lesson if wanted.search else replace(lesson, settings=STARTER)
        learned = learn(lesson, office.segmenter, wanted.options, told)
        version = store.new_version()
        head = learned.model.head(CATEGORY)
        held = answers.held_out(learned.held_out[CATEGORY], head.labels, lesson.letters, lesson.own)
        figures = scores(held, head)
        found = _findings(office, lesson, learned)
        live, notes = _live(office)
        against = _against_live(office, live, (held, learned), lesson.mine)
        facts = account.facts(labelled, figures, against, wanted.options, wanted.who)
        save(office.home, Candidate(version, lesson, learned, facts), office.taxonomy, office.segmenter)
    made = account.Made(version, lesson, learned, labelled, figures, found, against)
    page = office.home / REPORTS / f"{version}.html"
    page.parent.mkdir(exist_ok=True)
    report.write(account.report(made, office.taxonomy, wanted.options, wanted.who), page)
    written = _list(office, lesson, found, list_to)
    return Trained(version, figures, against.comparison if against else None, found, page, written, (*labelled.notes, *lesson.notes, *notes))


def evaluate(office: Office, labelled: Labelled, version: str, against: str = "") -> Evaluated:
    """How good a version is on the files' letters; against another one, on those that neither of the two has learned from."""
    stored = _stored(office, version)
    letters = labelled.letters
    said = answers.answers(stored.model, letters, office.segmenter)
    seen = answers.seen(model_folder(office.home), stored.version, letters)
    figures = scores(said, stored.model.head(CATEGORY))
    if not against:
        return Evaluated(stored.version, figures, int(seen.sum()))
    live = _stored(office, against)
    theirs = answers.answers(live.model, letters, office.segmenter)
    new = ~(seen | answers.seen(model_folder(office.home), live.version, letters))
    if new.sum() < MIN_COMPARED:
        raise InputError(
            f"{labelled.sources[0].name}: {int(new.sum())} letters are new to both models. At least {MIN_COMPARED} are needed for a comparison. "
            "Give a file of labelled letters that neither was trained on."
        )
    found = account.against(live.version, (said.take(new), stored.model.head(CATEGORY)), (theirs.take(new), live.model.head(CATEGORY)), office.taxonomy)
    moved = flips(said, theirs, office.taxonomy)
    return Evaluated(stored.version, figures, int(seen.sum()), live.version, found.live, found.comparison, tuple(moved))


def keep(office: Office, evaluated: Evaluated) -> None:
    """Write a comparison on the candidate's card, so that it can be promoted by it."""
    if evaluated.comparison:
        with storage(office.home):
            store.keep_comparison(model_folder(office.home), evaluated.version, evaluated.comparison.as_dict())


def _findings(office: Office, lesson: Lesson, learned: Learned) -> Findings:
    """All letters given are checked; those that were not learned have no truth and no probabilities."""
    held, labels = learned.held_out[CATEGORY], learned.model.head(CATEGORY).labels
    own = held.letters < lesson.own
    truth = np.full(len(lesson.given), -1, np.int64)
    chances = np.zeros((len(lesson.given), len(labels)), np.float32)
    truth[lesson.kept], chances[lesson.kept] = held.truth[own], held.probabilities[own]
    names = {code: category.name for code, category in office.taxonomy.categories.items()}
    return findings(lesson.given, labels, truth, chances, lesson.given_groups, names=names)


def _list(office: Office, lesson: Lesson, found: Findings, path: Path) -> Path:
    return corrections.write_list(path, lesson.given, found, purposes={code: purpose.name for code, purpose in office.taxonomy.purposes.items()})


def _against_live(office: Office, live: Stored | None, candidate: tuple[Answers, Learned], mine: Sequence[LabelledLetter]) -> account.Against | None:
    """The candidate's held-out answers against the live model's, on the letters that the live model has not learned from."""
    if live is None:
        return None
    held, learned = candidate
    new = ~answers.seen(model_folder(office.home), live.version, mine)
    if new.sum() < MIN_COMPARED:
        return None
    theirs = answers.answers(live.model, [item for item, is_new in zip(mine, new, strict=True) if is_new], office.segmenter)
    return account.against(live.version, (held.take(new), learned.model.head(CATEGORY)), (theirs, live.model.head(CATEGORY)), office.taxonomy)


def _live(office: Office) -> tuple[Stored | None, list[str]]:
    """The live model to compare with; one that cannot be used is said, and compared with nothing."""
    folder = model_folder(office.home)
    with storage(office.home):
        version = store.current(folder)
    if version is None:
        return None, []
    try:
        stored = store.load(folder, version)
    except RefusedModelError as error:
        return None, [f"not compared with the live model: {error}"]
    if stored.card.get("reads") != READS or stored.card.get("dictionary") != office.segmenter.checksum:
        return None, [f"not compared with the live model {version}: it reads letters with another dictionary or release"]
    return stored, []


def _stored(office: Office, version: str) -> Stored:
    with storage(office.home):
        stored = store.load(model_folder(office.home), find(office.home, version))
    if stored.card.get("reads") != READS or stored.card.get("dictionary") != office.segmenter.checksum:
        raise ModelError(f"model {stored.version}: made for another dictionary or release. Words must be cut as they were in training. Retrain.")
    return stored


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One training run at a time in an office. Raises BusyError."""
    folder = home / ".training"
    with storage(home):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder, patience=0.0))
        except TimeoutError as error:
            raise BusyError(f"{home}: another training run is at work. One at a time is allowed. Wait for it, or stop it.") from error
        yield


def as_dict(trained: Trained) -> dict[str, Any]:
    """What ``triage train --json`` prints."""
    figures, comparison = trained.scores, trained.comparison
    return {
        "version": trained.version,
        "letters": figures.letters,
        "accuracy": round(figures.accuracy, 4),
        "macro_f1": round(figures.macro_f1, 4),
        "calibration_error": figures.calibration_error,
        "coverage": round(figures.coverage, 4),
        "sent": round(figures.sent, 4),
        "sent_precision": figures.sent_precision and round(figures.sent_precision, 4),
        "compared_with": comparison.live if comparison else None,
        "report": str(trained.report.resolve()),
        "list": str(trained.list.resolve()),
        "findings": summary(trained.findings),
        "notes": list(trained.notes),
    }
