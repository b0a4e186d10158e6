"""A training run as its card and its report tell it: figures, promises, telling terms and mistakes; never a letter's words."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from models.calibration import NEVER, send_thresholds
from models.features import WORD_BIT
from training.answers import held_out, name_of, relabelled
from training.evaluate import Comparison, Flip, Scores, compare, flips, scores
from training.report import FileFindings, Mistake, Promise, Report, ReportSource, SendFrom, Setting, Target
from triage.desk import CATEGORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from models.classifier import Head
    from models.learning import Learned, Options
    from training.checks import Findings
    from training.evaluate import Answers
    from training.labelled import Labelled
    from training.train import Lesson
    from triage.taxonomy import Taxonomy

    Said = tuple[Answers, Head]

TARGETS = (0.90, 0.95, 0.98)  # precisions that the report shows the price of
TELLING = 12  # terms of a category
MISTAKES = 2000  # in a report
SETTINGS = {"cost": "容错 (cost)", "emphasis": "区分度加权 (emphasis)", "balance": "小类别加权 (balance)", "bayes": "朴素贝叶斯份额 (bayes)"}


@dataclass(frozen=True, slots=True)
class Against:
    """The live model beside a candidate on the letters that neither has learned from."""

    live: Scores
    comparison: Comparison
    flips: tuple[Flip, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """All that a training run has made, before it is told."""

    version: str
    lesson: Lesson
    learned: Learned
    labelled: Labelled
    scores: Scores
    findings: Findings
    against: Against | None


def against(version: str, candidate: Said, live: Said, taxonomy: Taxonomy) -> Against:
    """Compare two models' answers on the same letters; ``version`` is the live one's."""
    ours, theirs = side_by_side(candidate[0], live[0])
    comparison = compare((ours, candidate[1]), (theirs, live[1]), version)
    return Against(scores(theirs, live[1]), comparison, tuple(flips(candidate[0], live[0], taxonomy)))


def side_by_side(candidate: Answers, live: Answers) -> tuple[Answers, Answers]:
    """Both with the labels of both, in one order."""
    labels = tuple(dict.fromkeys([*candidate.labels, *live.labels]))
    return relabelled(candidate, labels), relabelled(live, labels)


def facts(labelled: Labelled, figures: Scores, found: Against | None, options: Options, who: str) -> dict[str, Any]:
    """The entries of a card that tell of the files, the promises and the comparison."""
    return {
        "source": "files",
        "who": who,
        "sources": [asdict(source) for source in labelled.sources],
        "options": asdict(options),
        "scores": {name: value for name, value in figures.as_dict().items() if isinstance(value, (int, float))},
        "comparison": found.comparison.as_dict() if found else None,
    }


def report(made: Made, taxonomy: Taxonomy, options: Options, who: str) -> Report:
    """What the page tells."""
    head = made.learned.model.head(CATEGORY)
    names = {label: taxonomy.categories[label].name if label in taxonomy.categories else label for label in made.scores.labels}
    return Report(
        version=made.version,
        created=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        who=who,
        sources=[ReportSource(source.name, source.sha256, source.rows) for source in made.labelled.sources],
        settings=list(_settings(made.learned)),
        letters=dict(Counter(item.category for item in made.lesson.mine)),
        names=names,
        findings=FileFindings(len(made.findings.conflicts), len(made.findings.copies), len(made.findings.wrong), made.labelled.refused),
        scores=made.scores,
        promise=_promise(made, head, options),
        terms=_terms(made.learned, head),
        mistakes=_mistakes(made, names),
        live=made.against.live if made.against else None,
        comparison=made.against.comparison if made.against else None,
        flips=made.against.flips if made.against else (),
    )


def _settings(learned: Learned) -> Iterator[Setting]:
    """What was chosen, each with the best accuracy + macro-F1 of every value tried."""
    held = learned.held_out[CATEGORY]
    for name, title in SETTINGS.items():
        tried: dict[float, float] = {}
        for settings, score in held.trials:
            value = getattr(settings, name)
            tried[value] = max(tried.get(value, 0.0), score)
        measured = "；".join(f"{value:g}：{score / 2:.4f}" for value, score in sorted(tried.items()))
        yield Setting(title, f"{getattr(held.settings, name):g}", measured if len(tried) > 1 else "")


def _promise(made: Made, head: Head, options: Options) -> Promise:
    held = made.learned.held_out[CATEGORY]
    said = held_out(held, head.labels, made.lesson.letters, made.lesson.own)
    sure, first = said.probabilities.max(axis=1), said.first
    return Promise(
        [
            _target(said, send_thresholds(held.probabilities, held.truth, target, options.confidence, held.second), target, options.confidence)
            for target in TARGETS
        ],
        {label: _send_from(threshold, sure[first == number]) for number, (label, threshold) in enumerate(zip(head.labels, head.send_thresholds, strict=True))},
        options.coverage,
        made.scores.coverage,
        made.scores.candidates,
    )


def _target(said: Answers, thresholds: NDArray[np.float32], precision: float, confidence: float) -> Target:
    first = said.first
    from_where = np.append(thresholds, np.full(len(said.labels) - len(thresholds), NEVER))[first]
    sent = said.probabilities.max(axis=1) >= from_where
    held = float((first == said.truth)[sent].mean()) if sent.any() else None
    return Target(precision, confidence, int(sent.sum()), int((~sent).sum()), held)


def _send_from(threshold: float, sure: NDArray[np.float32]) -> SendFrom:
    return SendFrom(None if threshold >= NEVER else threshold, int((sure >= threshold).sum()))


def _terms(learned: Learned, head: Head) -> dict[str, Sequence[tuple[str, float]]]:
    """The words that speak most for each category: weight x idf, what one mention of a word in an average letter is worth."""
    model = learned.model
    words = np.flatnonzero(model.vocabulary.keys >= WORD_BIT)
    telling: dict[str, Sequence[tuple[str, float]]] = {}
    for number, label in enumerate(head.labels):
        worth = model.weights.output(head.first + number) * model.vocabulary.idf
        best = words[np.argsort(-worth[words], kind="stable")[:TELLING]]
        telling[label] = [(learned.terms[at], round(float(worth[at]), 3)) for at in best]
    return telling


def _mistakes(made: Made, names: dict[str, str]) -> list[Mistake]:
    held, labels = made.learned.held_out[CATEGORY], made.learned.model.head(CATEGORY).labels
    said, sure = held.probabilities.argmax(axis=1), held.probabilities.max(axis=1)
    wrong = np.flatnonzero((said != held.truth) & (held.letters < made.lesson.own))
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]
    letters = made.lesson.letters
    return [Mistake(name_of(letters[held.letters[at]]), names[labels[held.truth[at]]], names[labels[said[at]]], round(float(sure[at]), 4)) for at in worst]
