"""How good is a model on letters it has not seen, and is it better than another? Numbers with their intervals, and who would move where.

Everything is computed from what a model said of letters whose labels are known (``Answers``); no letter's words are needed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.calibration import expected_calibration_error
from triage import routing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.classifier import Head
    from triage.taxonomy import Taxonomy

    Counts = NDArray[np.float64]

ROUNDS = 1000  # of the bootstrap
LEVEL = 0.95  # of every interval
PER_CATEGORY_LEVEL = 0.998  # so that among 49 categories one in ten comparisons of equals, not all, shows a category "worse"


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model said of ``n`` letters: ``truth`` (n,) numbers of the right ``labels``, ``probabilities`` (n, n_labels)."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def first(self) -> NDArray[np.int64]:
        """(n,) the likeliest label of each letter."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Answers:
        """The answers on some of the letters."""
        ids = tuple(np.array(self.ids, dtype=object)[which])
        return Answers(self.labels, ids, self.truth[which], self.probabilities[which])


@dataclass(frozen=True, slots=True)
class CategoryScores:
    """One category: how many letters are it, how many were taken for it, and how often rightly; None where there is nothing to divide by."""

    letters: int
    said: int
    precision: float | None
    recall: float | None
    f1: float


@dataclass(frozen=True, slots=True)
class Scores:
    """A model on a set of letters. Shares are 0..1, ``macro_f1`` is over the categories that the letters have; ``confusion`` (right label x label said) counts letters in the order of ``labels``.

    ``reliability`` are bins of (mean probability, share right, letters); ``coverage`` is how often the right label was a candidate;
    ``sent`` the share of letters sure enough to go on without a person, ``sent_precision`` how many of those were right.
    """

    letters: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    coverage: float
    candidates: float
    sent: float
    sent_precision: float | None
    labels: tuple[str, ...]
    categories: dict[str, CategoryScores]
    confusion: list[list[int]]
    reliability: list[tuple[float, float, int]]
    precision_by_share: list[tuple[float, float]]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate less live on the same letters, with the interval that a bootstrap over the letters gives; ``worse`` beyond noise or not."""

    candidate: float
    live: float
    difference: float
    low: float
    high: float
    worse: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate against the ``live`` version, on letters that neither has learned from."""

    live: str
    letters: int
    overall: dict[str, Difference]
    recall: dict[str, Difference]
    precision: dict[str, Difference]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON and a card."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Flip:
    """A letter that would go elsewhere: category and department under the live model and under the candidate; names, not codes."""

    id: str
    live_category: str
    live_department: str
    category: str
    department: str
    truth: str = ""


def scores(answers: Answers, head: Head) -> Scores:
    """Everything at once, with the head's candidates and thresholds. Raises ValueError for no letters."""
    if not len(answers.truth):
        raise ValueError("no letters to measure on")
    facts = _facts(answers, head)
    figures = _figures(facts, np.ones(len(answers.truth)))
    counts = facts.confusion(np.ones(len(answers.truth)))
    return Scores(
        letters=len(answers.truth),
        accuracy=figures["accuracy"],
        macro_f1=figures["macro_f1"],
        calibration_error=expected_calibration_error(answers.probabilities, answers.truth),
        coverage=figures["coverage"],
        candidates=float((answers.probabilities >= head.candidate_floor).sum(axis=1).mean()),
        sent=figures["sent"],
        sent_precision=None if np.isnan(figures["sent_precision"]) else figures["sent_precision"],
        labels=answers.labels,
        categories={label: _category(counts, i) for i, label in enumerate(answers.labels)},
        confusion=counts.astype(int).tolist(),
        reliability=_reliability(facts),
        precision_by_share=_precision_by_share(facts),
    )


def compare(candidate: tuple[Answers, Head], live: tuple[Answers, Head], version: str, *, seed: int = 0) -> Comparison:
    """A candidate's answers less those of the live ``version`` on the same letters in the same order.

    The intervals are those of a bootstrap that draws letters, both models answering the same ones (Efron and Tibshirani 1993).
    """
    ours, theirs = _facts(*candidate), _facts(*live)
    n_letters = len(ours.truth)
    drawn = np.random.default_rng(seed)
    even = np.ones(n_letters)
    point = [_figures(facts, even) for facts in (ours, theirs)]
    rounds: dict[str, list[float]] = {name: [] for name in point[0]}
    for _ in range(ROUNDS):
        weights = np.bincount(drawn.integers(n_letters, size=n_letters), minlength=n_letters).astype(float)
        one, other = _figures(ours, weights), _figures(theirs, weights)
        for name, values in rounds.items():
            values.append(one[name] - other.get(name, np.nan))
    found = {name: _difference(name, point[0][name], point[1].get(name, np.nan), values) for name, values in rounds.items()}
    held = {name: difference for name, difference in found.items() if difference is not None}
    kinds = {kind: {name.split(":", 1)[1]: difference for name, difference in held.items() if name.startswith(f"{kind}:")} for kind in ("recall", "precision")}
    overall = {name: difference for name, difference in held.items() if ":" not in name}
    return Comparison(version, n_letters, overall, kinds["recall"], kinds["precision"])


def flips(candidate: Answers, live: Answers, taxonomy: Taxonomy) -> list[Flip]:
    """Every letter that would change department, or category where the taxonomy does not know the categories; both answer the same letters."""
    ours, theirs = _desks(candidate, taxonomy), _desks(live, taxonomy)
    moved = [(i, one, other) for i, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one[1] != other[1] or (not one[1] and one != other)]
    return [Flip(candidate.ids[i], *theirs[i], *ours[i], _name(candidate.labels[candidate.truth[i]], taxonomy)) for i, _, _ in moved]


def _desks(answers: Answers, taxonomy: Taxonomy) -> list[tuple[str, str]]:
    """Category and department of each letter, as names; the department as the desk chooses it, "" for categories that it does not know."""
    from models.choice import choose

    if not all(label in taxonomy.categories for label in answers.labels):
        return [(_name(answers.labels[label], taxonomy), "") for label in answers.first]
    chosen = choose(np.ascontiguousarray(answers.probabilities, np.float32), routing.desks(answers.labels, taxonomy))[:, 0]
    labels = [answers.labels[category] for category in chosen]
    return [(_name(label, taxonomy), taxonomy.departments[taxonomy.categories[label].lead].name) for label in labels]


def _name(label: str, taxonomy: Taxonomy) -> str:
    return taxonomy.categories[label].name if label in taxonomy.categories else label


def _difference(name: str, candidate: float, live: float, rounds: list[float]) -> Difference | None:
    """None where one of the two has nothing to divide by. An error is worse when it is higher, all else when it is lower."""
    values = np.array(rounds)
    values = values[np.isfinite(values)]
    if not (np.isfinite(candidate) and np.isfinite(live) and len(values)):
        return None
    outside = (1 - (PER_CATEGORY_LEVEL if ":" in name else LEVEL)) / 2
    low, high = (float(np.quantile(values, q)) for q in (outside, 1 - outside))
    worse = low > 0 if name == "calibration_error" else high < 0
    return Difference(round(candidate, 4), round(live, 4), round(candidate - live, 4), round(low, 4), round(high, 4), worse)


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of each letter (n,): what was right and said, how sure, whether the candidates held it, whether it would go on alone."""

    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    said: NDArray[np.int64]
    sure: NDArray[np.float32]
    covered: NDArray[np.bool_]
    sent: NDArray[np.bool_]

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.asarray(self.said == self.truth)

    def confusion(self, weights: Counts) -> Counts:
        """(n_labels, n_labels) letters by right label and label said, each by its weight."""
        n_labels = len(self.labels)
        return np.asarray(np.bincount(self.truth * n_labels + self.said, weights, n_labels * n_labels).reshape(n_labels, n_labels), np.float64)


def _facts(answers: Answers, head: Head) -> _Facts:
    chances, said = answers.probabilities, answers.first
    each = np.arange(len(answers.truth))
    sure = chances[each, said]
    threshold = dict(zip(head.labels, head.send_thresholds, strict=True))
    from_where = np.array([threshold.get(label, np.inf) for label in answers.labels])
    covered = (chances[each, answers.truth] >= head.candidate_floor) & np.isin(answers.truth, [answers.labels.index(label) for label in head.labels])
    return _Facts(answers.labels, answers.truth, said, sure, covered, sure >= from_where[said])


def _figures(facts: _Facts, weights: Counts) -> dict[str, float]:
    """Every figure that is compared; NaN where there is nothing to divide by. Per category as ``recall:LABEL`` and ``precision:LABEL``."""
    counts, total = facts.confusion(weights), weights.sum()
    diagonal, letters, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    met = letters > 0  # a category that none of the letters is has no recall, and would count as a failure
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision, f1 = diagonal / letters, diagonal / said, 2 * diagonal / (letters + said)
        sent = weights @ facts.sent
        overall = {
            "accuracy": diagonal.sum() / total,
            "macro_f1": f1[met].mean(),
            "calibration_error": np.abs(np.bincount(_bins(facts.sure), weights * (facts.sure - facts.right))).sum() / total,
            "coverage": weights @ facts.covered / total,
            "sent": sent / total,
            "sent_precision": weights @ (facts.sent & facts.right) / sent,
        }
    each = {
        f"{kind}:{label}": value for kind, values in (("recall", recall), ("precision", precision)) for label, value in zip(facts.labels, values, strict=True)
    }
    return {name: float(value) for name, value in (overall | each).items()}


def _bins(sure: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.minimum((sure * 10).astype(np.int64), 9)


def _category(counts: Counts, label: int) -> CategoryScores:
    right, letters, said = counts[label, label], counts[label].sum(), counts[:, label].sum()
    return CategoryScores(
        int(letters), int(said), right / said if said else None, right / letters if letters else None, 2 * right / (letters + said) if letters + said else 0.0
    )


def _reliability(facts: _Facts) -> list[tuple[float, float, int]]:
    which = _bins(facts.sure)
    inside = [which == number for number in np.unique(which)]
    return [(float(facts.sure[here].mean()), float(facts.right[here].mean()), int(here.sum())) for here in inside]


def _precision_by_share(facts: _Facts) -> list[tuple[float, float]]:
    """At most 200 points (share of the letters, surest first; how many of them are right)."""
    order = np.argsort(-facts.sure, kind="stable")
    precision = np.cumsum(facts.right[order]) / np.arange(1, len(order) + 1)
    at = np.unique(np.linspace(0, len(order) - 1, min(200, len(order))).astype(int))
    return [(float((i + 1) / len(order)), float(precision[i])) for i in at]
