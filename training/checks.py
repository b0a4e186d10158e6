"""Is the data good? Labels that are probably wrong, letters labelled twice and differently, copies, categories too small to learn.

Findings are counts, positions and categories; letters themselves stand only in the list for the clerk (``training.corrections``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.doubt import revised, second_is_right, suspected, suspicion
from triage.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from training.labelled import LabelledLetter

    Positions = tuple[int, ...]

FEW = 10  # letters of a category: with fewer its figures are chance
FOLDS = 5  # of the random split that ``leaking`` speaks of
UNEVEN = 20  # times as many letters in the largest category as in the smallest, from which on it is worth a sentence
LONGEST = 40  # characters of a label; what is longer may be a letter's words and is measured, not shown
NAMED = 10  # categories in one sentence


@dataclass(frozen=True, slots=True)
class Findings:
    """What the checks found. Letters are positions in what was checked, categories are codes; ``names`` has their names.

    ``counts``: letters by category, most first. ``conflicts``: letters of one text under several categories. ``disputed``: groups of
    near-duplicates under several. ``copies``: all groups of two and more. ``leaking``: see there. ``few``: categories of fewer than
    ``FEW`` letters that can be learned, ``unlearnable``: those that cannot. ``wrong``: letters whose label is probably wrong, worst first.
    Of every letter: ``suspicion`` (0..1), ``suggested``, the category that fits best when it is another, else "", and ``sure``, how likely that one is.
    """

    counts: dict[str, int]
    conflicts: tuple[Positions, ...]
    disputed: tuple[Positions, ...]
    copies: tuple[Positions, ...]
    leaking: float
    few: tuple[str, ...]
    unlearnable: tuple[str, ...]
    wrong: Positions
    suspicion: NDArray[np.float32]
    suggested: tuple[str, ...]
    sure: NDArray[np.float32]
    names: Mapping[str, str]

    def name(self, code: str) -> str:
        """A category as people read it; one without a name is its code."""
        return self.names.get(code, code)


def findings(
    letters: Sequence[LabelledLetter],
    labels: Sequence[str],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    groups: NDArray[np.int64],
    *,
    names: Mapping[str, str],
) -> Findings:
    """Check labelled letters with what held-out classifiers say of them. A letter's second category is as right as its first.

    ``probabilities`` (n, n_labels) are of ``labels``, ``truth`` (n,) numbers them and is -1 for a letter that was not learned, ``groups`` (n,)
    come from ``duplicates.groups``.
    """
    categories = [letter.category for letter in letters]
    counts = Counter(categories)
    copies = tuple(members for members in _members(groups) if len(members) > 1)
    conflicts = tuple(same for members in copies for same in _same_text(letters, members))
    lost = unlearnable(categories, groups)
    chances = second_is_right(truth, probabilities, _numbers([letter.second for letter in letters], labels))
    doubt = suspicion(truth, chances, groups)
    wrong = np.flatnonzero(suspected(truth, chances, groups))
    suggested, sure = _suggested(labels, truth, revised(truth, chances, groups))
    return Findings(
        counts=dict(counts.most_common()),
        conflicts=conflicts,
        disputed=tuple(members for members in copies if _disputed(categories, members, {at for same in conflicts for at in same})),
        copies=copies,
        leaking=leaking(groups),
        few=tuple(category for category, count in counts.items() if count < FEW and category not in lost),
        unlearnable=lost,
        wrong=tuple(wrong[np.argsort(-doubt[wrong], kind="stable")].tolist()),
        suspicion=doubt,
        suggested=suggested,
        sure=sure,
        names=names,
    )


def unlearnable(categories: Sequence[str], groups: NDArray[np.int64]) -> tuple[str, ...]:
    """Categories without two letters that differ: nothing could be held out to see whether they were learned.

    >>> unlearnable(["wages", "wages", "noise", "noise"], np.array([0, 1, 2, 2]))
    ('noise',)
    """
    held: defaultdict[str, set[int]] = defaultdict(set)
    for category, group in zip(categories, groups.tolist(), strict=True):
        held[category].add(group)
    return tuple(category for category, found in held.items() if len(found) < 2)


def leaking(groups: NDArray[np.int64]) -> float:
    """Share (0..1) of held-out letters that would have a near-duplicate among those learned from, had a random split into five parts been made.

    A letter of a group of m is alone on its side, all others with it, with probability (1/5)**(m - 1).

    >>> leaking(np.array([0, 0, 1, 2]))
    0.4
    """
    sizes = np.bincount(groups)[groups]
    return float((1 - (1 / FOLDS) ** (sizes - 1.0)).mean()) if len(groups) else 0.0


def summary(found: Findings) -> list[str]:
    """What a person should know, as sentences in Chinese: counts and names of categories, never a letter's words."""
    return [*_size(found), *_labels(found), *_copies(found), *_small(found)]


def _numbers(categories: Iterable[str], labels: Sequence[str]) -> NDArray[np.int64]:
    number = {label: place for place, label in enumerate(labels)}
    return np.array([number.get(category, -1) for category in categories], np.int64)


def _members(groups: NDArray[np.int64]) -> Iterator[Positions]:
    """The letters of each group, groups in the order of their numbers."""
    order = np.argsort(groups, kind="stable")
    cuts = np.flatnonzero(np.diff(groups[order])) + 1
    return (tuple(part.tolist()) for part in np.split(order, cuts) if len(part))


def _same_text(letters: Sequence[LabelledLetter], members: Positions) -> Iterator[Positions]:
    """Letters of a group that are one text under several categories."""
    if len({letters[at].category for at in members}) < 2:
        return
    texts: defaultdict[str, list[int]] = defaultdict(list)
    for at in members:
        texts[normalise(letters[at].letter.text)].append(at)
    yield from (tuple(same) for same in texts.values() if len({letters[at].category for at in same}) > 1)


def _disputed(categories: Sequence[str], members: Positions, settled: set[int]) -> bool:
    """Whether a group is under several categories for more than its letters of one text."""
    return len({categories[at] for at in members}) > 1 and not settled.issuperset(members)


def _suggested(labels: Sequence[str], truth: NDArray[np.int64], believed: NDArray[np.float32]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    if not labels:
        return ("",) * len(truth), np.zeros(len(truth), np.float32)
    best = believed.argmax(axis=1)
    differs = (truth >= 0) & (best != truth)
    suggested = tuple(labels[label] if other else "" for label, other in zip(best, differs, strict=True))
    return suggested, np.where(differs, believed.max(axis=1), np.float32(0))


def _size(found: Findings) -> Iterator[str]:
    total, numbers = sum(found.counts.values()), list(found.counts.items())
    yield f"共 {total:,} 封来信，{len(numbers)} 个类别。"
    if numbers and numbers[0][1] >= UNEVEN * numbers[-1][1]:
        (most, many), (least, few) = numbers[0], numbers[-1]
        yield f"类别之间相差很大：最多的{_shown(found, most)}有 {many:,} 封，最少的{_shown(found, least)}只有 {few:,} 封。来信少的类别更容易分错。"


def _labels(found: Findings) -> Iterator[str]:
    if found.wrong:
        share = len(found.wrong) / len(found.suspicion)
        yield f"约有 {len(found.wrong):,} 封来信的类别可能有误（占 {share:.1%}），请从清单最上面的几行看起。"
    if found.conflicts:
        yield f"有 {len(found.conflicts):,} 篇来信正文相同而类别不同，共 {sum(map(len, found.conflicts)):,} 行，请统一类别。"
    if found.disputed:
        yield f"有 {len(found.disputed):,} 组近似重复的来信类别不同，请核对。"


def _copies(found: Findings) -> Iterator[str]:
    if found.copies:
        held = sum(map(len, found.copies))
        yield (
            f"近似重复的来信有 {len(found.copies):,} 组、{held:,} 封。若随机划分，{found.leaking:.1%} 的检验来信会在训练来信中有近似重复，"
            "成绩会虚高；因此同一组来信只放在一边。"
        )


def _small(found: Findings) -> Iterator[str]:
    if found.unlearnable:
        yield f"无法学习的类别有 {len(found.unlearnable)} 个（没有两封不同的来信，训练时略去）：{_named(found, found.unlearnable)}。"
    if found.few:
        yield f"来信太少的类别有 {len(found.few)} 个（不到 {FEW} 封，成绩不作数）：{_named(found, found.few)}。"


def _named(found: Findings, categories: Sequence[str]) -> str:
    shown = "、".join(f"{_shown(found, category)}（{found.counts[category]} 封）" for category in categories[:NAMED])
    return shown + (f"等 {len(categories)} 个" if len(categories) > NAMED else "")


def _shown(found: Findings, category: str) -> str:
    name = found.name(category)
    return f"“{name}”" if len(name) <= LONGEST else f"（名称长 {len(name)} 个字的类别）"
