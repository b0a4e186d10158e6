"""The numbers of a training run as the rows of the report's tables and the points of its charts."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.evaluate import LEVEL, PER_CATEGORY_LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from training.evaluate import CategoryScores, Comparison, Difference, Flip, Scores
    from training.report import Mistake, Report

    Interval = tuple[float, float]

BETTER, WORSE, SAME = "变好", "变差", "看不出差别"
NOTHING = "—"
CONFUSIONS = 20  # in the table beside the matrix
LISTED = 500  # mistakes and kinds of move in their tables
IDS = 100  # letters named in one kind of move
FEW = 20  # held-out letters of a category: with fewer its figures are shown pale
SHARES = 10  # rows that stand for the curve of precision by share
POINTS = 400  # of that curve as a chart: more than a screen shows
Z = 1.959964  # of a two-sided 95 % interval
LEVELS = (LEVEL, PER_CATEGORY_LEVEL)
FIGURES = (
    ("accuracy", "正确率", "第一候选就是正确类别的来信占多少"),
    ("macro_f1", "各类别平均（宏平均 F1）", "每个类别同样算一份，小类别不会被大类别盖过"),
    ("sent", "直接分办的比例", "有把握、不必请人复核的来信占多少"),
    ("sent_precision", "直接分办的正确率", "直接分办的来信中分对的占多少"),
    ("coverage", "候选覆盖率", "正确类别在候选之中的来信占多少"),
    ("candidates", "平均候选个数", "每封信给出几个候选，越少越省事"),
    ("calibration_error", "把握的偏差", "说出的把握与实际分对的比例平均差多少，越小越好"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure as people read it, of the candidate and of the live model, each with its interval."""

    name: str
    says: str
    candidate: str
    around: str
    live: str
    live_around: str
    difference: str
    difference_around: str
    verdict: str


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """One category under both models; ``instead`` are the labels it is most often taken for, with letters."""

    label: str
    name: str
    learned: int
    found: CategoryScores
    live: CategoryScores | None
    recall: Interval | None
    precision: Interval | None
    recall_verdict: str
    precision_verdict: str
    instead: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Letters of one category taken for another, and their share of the letters that are the former."""

    right: str
    said: str
    letters: int
    share: float


@dataclass(frozen=True, slots=True)
class Move:
    """Letters that go from one place to another: how many, how many of them become right and stop being right, and their ids."""

    live_category: str
    live_department: str
    category: str
    department: str
    mended: int
    broken: int
    ids: tuple[str, ...]


def percent(share: float | None, places: int = 1) -> str:
    """A share 0..1 as people read it; a dash where there is none."""
    return NOTHING if share is None or not math.isfinite(share) else f"{share:.{places}%}"


def decimal(number: float) -> str:
    """A number that is no share, to two places; a dash where there is none."""
    return f"{number:.2f}" if math.isfinite(number) else NOTHING


def count(number: float) -> str:
    """A number of letters as people read it: 12,345."""
    return f"{number:,.0f}"


def span(found: Interval | None) -> str:
    """An interval of shares in per cent."""
    return f"{found[0] * 100:.1f}–{found[1] * 100:.1f}" if found else ""


def interval(right: float, of: int) -> Interval | None:
    """The 95 % interval of a share (Wilson 1927), which holds for few letters and shares near 0 and 1; None of no letters."""
    if not of:
        return None
    share, squared = right / of, Z * Z / of
    middle = (share + squared / 2) / (1 + squared)
    half = Z / (1 + squared) * math.sqrt(max(0.0, share * (1 - share)) / of + squared / of / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def verdict(found: Difference | None) -> str:
    """Better, worse, or no difference beyond noise; empty where nothing was compared."""
    if found is None:
        return ""
    if found.worse:
        return WORSE
    return BETTER if found.low > 0 or found.high < 0 else SAME


def signed(value: float, *, share: bool = True) -> str:
    """A difference with its sign, of shares in percentage points."""
    return f"{value * 100:+.1f}".replace("-", "−") if share else f"{value:+.2f}".replace("-", "−")


def spread(found: Difference, *, share: bool = True) -> str:
    """The interval of a difference, of shares in percentage points."""
    return f"{signed(found.low, share=share)} 至 {signed(found.high, share=share)}"


def figures(report: Report) -> list[Figure]:
    """The key figures, candidate beside live."""
    return [_figure(report, *row) for row in FIGURES]


def _figure(report: Report, field: str, name: str, says: str) -> Figure:
    share = field != "candidates"
    found = report.comparison.overall.get(field) if report.comparison else None
    candidate, around = _value(report.scores, field)
    live, live_around = _value(report.live, field) if report.live else ("", "")
    difference, between = (signed(found.difference, share=share), spread(found, share=share)) if found else ("", "")
    return Figure(name, says, candidate, around, live, live_around, difference, between, verdict(found))


def _value(scores: Scores, field: str) -> tuple[str, str]:
    value: float | None = getattr(scores, field)
    if value is None or not math.isfinite(value):
        return NOTHING, ""
    of = {"accuracy": scores.letters, "sent": scores.letters, "coverage": scores.letters}.get(field, 0)
    if field == "sent_precision":
        of = round(scores.sent * scores.letters)
    return decimal(value) if field == "candidates" else percent(value), span(interval(value * of, of))


def order(report: Report) -> list[str]:
    """The candidate's labels in the order of the names, then those without a name."""
    known = set(report.scores.labels)
    return list(dict.fromkeys([*(label for label in report.names if label in known), *report.scores.labels]))


def categories(report: Report) -> list[CategoryRow]:
    """All categories, those with most held-out letters first."""
    confused = defaultdict(list)
    for row in confusions(report):
        confused[row.right].append((row.said, row.letters))
    rows = [_category(report, label, tuple(confused[label][:3])) for label in order(report)]
    return sorted(rows, key=lambda row: -row.found.letters)


def _category(report: Report, label: str, instead: tuple[tuple[str, int], ...]) -> CategoryRow:
    found = report.scores.categories[label]
    compared = report.comparison
    return CategoryRow(
        label,
        report.names.get(label, label),
        report.letters.get(label, 0),
        found,
        report.live.categories.get(label) if report.live else None,
        interval((found.recall or 0) * found.letters, found.letters),
        interval((found.precision or 0) * found.said, found.said),
        _verdict_of(compared, "recall", label),
        _verdict_of(compared, "precision", label),
        instead,
    )


def _verdict_of(comparison: Comparison | None, side: str, label: str) -> str:
    return verdict(getattr(comparison, side).get(label)) if comparison else ""


def confusions(report: Report) -> list[Confusion]:
    """Every kind of mistake on the held-out letters, by label, most frequent first."""
    scores = report.scores
    found = [
        Confusion(right, scores.labels[said], letters, letters / sum(row))
        for right, row in zip(scores.labels, scores.confusion, strict=True)
        for said, letters in enumerate(row)
        if letters and scores.labels[said] != right
    ]
    return sorted(found, key=lambda row: (-row.letters, -row.share))


def shares(scores: Scores) -> list[tuple[float, float]]:
    """A few points of the curve of precision by share sent on."""
    return _thinned(scores.precision_by_share, SHARES)


def _thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most ``most`` of the points, evenly, the last one among them."""
    points = sorted(points)
    step = max(1, math.ceil(len(points) / most))
    return points[::-1][::step][::-1]


def moves(flips: Iterable[Flip]) -> list[Move]:
    """Flips of the same kind together; the category that loses most letters first."""
    kinds: dict[tuple[str, ...], list[Flip]] = defaultdict(list)
    leaving: dict[str, int] = defaultdict(int)
    for flip in flips:
        kinds[flip.live_category, flip.live_department, flip.category, flip.department].append(flip)
        leaving[flip.live_category] += 1
    return [_move(kinds[kind]) for kind in sorted(kinds, key=lambda kind: (-leaving[kind[0]], kind[0], -len(kinds[kind])))]


def _move(flips: list[Flip]) -> Move:
    first = flips[0]
    mended = sum(flip.truth == flip.category != flip.live_category for flip in flips)
    broken = sum(flip.truth == flip.live_category != flip.category for flip in flips)
    ids = tuple(flip.id for flip in flips)
    return Move(first.live_category, first.live_department, first.category, first.department, mended, broken, ids)


def mistakes(report: Report) -> list[Mistake]:
    """The mistakes, the surest first: either a lesson or a wrong label."""
    return sorted(report.mistakes, key=lambda mistake: -mistake.probability)


def charts(report: Report) -> dict[str, Any]:
    """What the page's charts draw, as plain JSON; categories are numbers into ``names``."""
    labels = order(report)
    return {
        "names": [report.names.get(label, label).encode("utf-8", "replace").decode() for label in labels],
        "matrix": _matrix(report.scores, labels),
        "candidate": _curves(report.scores, labels),
        "live": _curves(report.live, labels) if report.live else None,
        "letters": [report.scores.categories[label].letters for label in labels],
        "targets": [target.precision for target in report.promise.targets],
        "few": FEW,
    }


def _matrix(scores: Scores, labels: Sequence[str]) -> list[tuple[int, int, int, float]]:
    """Cells with letters: (said, right, letters, share of the right one's letters)."""
    number = {label: i for i, label in enumerate(labels)}
    return [
        (number[scores.labels[said]], number[right], letters, round(letters / sum(row), 4))
        for right, row in zip(scores.labels, scores.confusion, strict=True)
        for said, letters in enumerate(row)
        if letters
    ]


def _curves(scores: Scores, labels: Sequence[str]) -> dict[str, Any]:
    found = [scores.categories.get(label) for label in labels]
    return {
        "recall": [_point(item.recall if item else None) for item in found],
        "precision": [_point(item.precision if item else None) for item in found],
        "reliability": [[_point(value) for value in row] for row in scores.reliability],
        "shares": [[_point(value) for value in row] for row in _thinned(scores.precision_by_share, POINTS)],
    }


def _point(value: float | None) -> float | None:
    """JSON knows no NaN."""
    return None if value is None or not math.isfinite(value) else round(value, 4)
