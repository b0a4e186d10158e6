"""What classifiers say of letters that they have not seen, and the settings that do best by it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models import linear
from models.linear import Settings, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from models.linear import Linear

    Splits = list[tuple[NDArray[np.int64], NDArray[np.int64]]]
    Trials = list[tuple[Settings, float]]

FOLDS = 3
SEARCHED = (3_000, 12_000)  # letters that settings are chosen on, at least and at most
SMALL = 10_000_000  # features x labels of a task that is done before processes have started
CELLS = 100_000  # letters x labels of them, between the two
GAIN = 0.001  # of accuracy and macro-F1 together that another setting must bring to be taken
ALTERNATIVES: tuple[tuple[str, tuple[float, ...]], ...] = (("emphasis", (0.0, 1.0)), ("cost", (0.2, 1.2)), ("balance", (0.5,)))
SHARES = (0.15, 0.3, 0.5)  # of naive Bayes: tried on margins, nothing is learned again


@dataclass(frozen=True, slots=True)
class Seen:
    """Margins (n_letters, n_labels) of both classifiers for letters they have not seen."""

    svm: NDArray[np.float32]
    bayes: NDArray[np.float32]

    def blend(self, share: float) -> NDArray[np.float32]:
        """The two in units of their own spread, naive Bayes with its share."""
        return (1 - share) * self.svm / linear.spread(self.svm) + share * self.bayes / linear.spread(self.bayes)


def splits(task: Task, groups: NDArray[np.int64], seed: int) -> Splits:
    """Folds with like shares of the labels, groups whole; a label with fewer groups than folds is missing from some of them."""
    from sklearn.model_selection import StratifiedGroupKFold

    largest = int(np.bincount(task.targets).max())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return list(StratifiedGroupKFold(max(2, min(FOLDS, largest)), shuffle=True, random_state=seed).split(task.targets, task.targets, groups))


def learn(task: Task, groups: NDArray[np.int64], settings: Settings, seed: int) -> tuple[Linear, NDArray[np.float32]]:
    """The classifier of all letters, and margins (n_letters, n_labels) of those of the folds for letters that they have not seen."""
    from joblib import delayed

    work = [delayed(linear.svm)(task, settings, seed), delayed(linear.bayes)(task, settings)]
    (seen,), (svm, bayes) = _seen(task, splits(task, groups, seed), [settings], seed, work)
    ours, theirs = (1 - settings.bayes) / linear.spread(seen.svm), settings.bayes / linear.spread(seen.bayes)
    return (ours * svm[0] + theirs * bayes[0], ours * svm[1] + theirs * bayes[1]), seen.blend(settings.bayes)


def search(task: Task, groups: NDArray[np.int64], seed: int, told: Callable[[float], None]) -> tuple[Settings, Trials]:
    """One setting after the other, each tried with the best of those before; and all that was tried, with accuracy + macro-F1."""
    task, groups = _sample(task, groups, seed)
    folds = splits(task, groups, seed)
    best = Settings()
    trials: Trials = []
    known: dict[Settings, Seen] = {}
    for done, (name, values) in enumerate(ALTERNATIVES):
        told(done / (len(ALTERNATIVES) + 1))
        asked = [best, *(replace(best, **{name: value}) for value in values)]
        new = [settings for settings in asked if settings not in known]
        known |= dict(zip(new, _seen(task, folds, new, seed)[0], strict=True))
        best = _better([(settings, _score(task, known[settings].svm)) for settings in asked], trials)
    blends = [(replace(best, bayes=share), _score(task, known[best].blend(share))) for share in SHARES]
    return _better([(best, _score(task, known[best].svm)), *blends], trials), trials


def _better(tried: Trials, trials: Trials) -> Settings:
    """The best, but the first unless another gains enough; ``trials`` gets what is new."""
    trials.extend(trial for trial in tried if trial not in trials)
    best = max(tried, key=lambda trial: trial[1])
    return best[0] if best[1] > tried[0][1] + GAIN else tried[0][0]


def _score(task: Task, margins: NDArray[np.float32]) -> float:
    from sklearn.metrics import f1_score

    said = margins.argmax(axis=1)
    accuracy = float(np.average(said == task.targets, weights=task.weights))
    return round(accuracy + float(f1_score(task.targets, said, average="macro", sample_weight=task.weights, zero_division=0)), 5)


def _sample(task: Task, groups: NDArray[np.int64], seed: int) -> tuple[Task, NDArray[np.int64]]:
    n_letters = len(task.targets)
    enough = int(np.clip(CELLS // task.n_labels, *SEARCHED))
    if n_letters <= enough:
        return task, groups
    which = np.sort(np.random.default_rng(seed).choice(n_letters, enough, replace=False))
    return task.take(which), groups[which]


def _seen(task: Task, folds: Splits, settings: list[Settings], seed: int, also: Iterable[object] = ()) -> tuple[list[Seen], list[Linear]]:
    """Margins for each of the settings, and the results of ``also``; never in threads, since the SVM's random numbers are one a process."""
    from joblib import Parallel, delayed

    work = [delayed(_fold)(task, *fold, chosen, seed) for chosen in settings for fold in folds]
    first = list(also)
    results = Parallel(n_jobs=-1 if task.rows.nnz * task.n_labels > SMALL else 1)([*first, *work])
    done = iter(results[len(first) :])
    return [_joined(task, folds, [next(done) for _ in folds]) for _ in settings], results[: len(first)]


def _fold(task: Task, train: NDArray[np.int64], test: NDArray[np.int64], settings: Settings, seed: int) -> NDArray[np.float32]:
    part, rows = task.take(train), task.rows[test]
    return np.stack([linear.margins(linear.svm(part, settings, seed), rows), linear.margins(linear.bayes(part, settings), rows)])


def _joined(task: Task, folds: Splits, parts: list[NDArray[np.float32]]) -> Seen:
    margins = np.zeros((2, len(task.targets), task.n_labels), np.float32)
    for (_, test), part in zip(folds, parts, strict=True):
        margins[:, test] = part
    return Seen(*margins)
