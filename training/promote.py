"""Which model is live: a candidate takes the place of the live one only when it is not worse; one step goes back.

Every change is made under the lock of the folder of models, from the look at the live model to the line in the history, so changes that come together are made one after the other.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models import history, store
from models.disk import locked
from models.errors import RefusedModelError
from training.labelled import starter_letters
from triage import golden
from triage.desk import CATEGORY, Desk, model_folder
from triage.errors import InputError, ModelError, StorageError
from triage.taxonomy import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from models.history import Change
    from models.store import Stored
    from triage.letter import Letter
    from triage.taxonomy import Taxonomy
    from triage.tokens import Segmenter

DECISIVE = ("accuracy", "macro_f1")  # of Comparison.overall
N_GOLDEN = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a change of the live model, and why. ``force`` overrules objections and then needs the ``why``."""

    who: str
    why: str = ""
    force: bool = False


def objections(candidate: Stored, live: Stored | None, taxonomy: Taxonomy) -> list[str]:
    """Why a candidate should not take the place of the live model, in sentences; none when it may. The first model of an office has nothing to beat."""
    against = [*_not_better(candidate, live.version, taxonomy), *_lacks(candidate, live, taxonomy)] if live else []
    return [*_unknown(candidate, taxonomy), *against]


def promote(home: Path, version: str, taxonomy: Taxonomy, segmenter: Segmenter, asked: Asked) -> Change:
    """Put a version live, when nothing speaks against it or when it is forced with a reason.

    Raises ModelError ("not-promotable", 409, with all objections), and for a model that the desk could not open, forced or not.
    """
    if asked.force and not asked.why.strip():
        raise InputError("promote: forced without a reason. Whoever overrules an objection says why. Add `--why TEXT`.", kind="reason-needed")
    version = find(home, version)
    folder = model_folder(home)
    with storage(home), locked(folder):
        candidate = verify(home, version, taxonomy, segmenter)
        live = store.current(folder)
        if live == version:
            raise ModelError(f"model {version}: is live already. Another version can be promoted. See `triage models list`.", kind="already-live", status=409)
        found = _objections_now(folder, candidate, live, taxonomy)
        if found and not asked.force:
            raise _not_promotable(version, found)
        return store.make_current(folder, version, who=asked.who, why=asked.why, objections=found)


def rollback(home: Path, taxonomy: Taxonomy, segmenter: Segmenter, asked: Asked) -> Change:
    """Put the version live that was live before; again, and it goes further back. Raises ModelError ("no-predecessor", 409) at the beginning."""
    folder = model_folder(home)
    with storage(home), locked(folder):
        line = history.lineage(history.read(folder))
        if len(line) < 2:
            raise ModelError(
                f"{folder}: no model was live before. Roll back needs one. Run `triage models promote VERSION` with one of `triage models list`.",
                kind="no-predecessor",
                status=409,
            )
        verify(home, line[-2], taxonomy, segmenter)
        return store.make_current(folder, line[-2], action=history.ROLLBACK, who=asked.who, why=asked.why)


def verify(home: Path, version: str, taxonomy: Taxonomy, segmenter: Segmenter) -> Stored:
    """A model that the desk can open: files as they were saved, words cut as in training, labels known, golden letters decided as before.

    Raises ModelError or TaxonomyError.
    """
    folder = model_folder(home)
    with storage(home):
        if version in store.pruned(folder) and version not in store.versions(folder):
            raise ModelError(
                f"model {version}: was pruned, only its card is left. A model needs its arrays. Restore its folder from a backup, or choose another version.",
                kind="pruned-model",
                status=409,
            )
        stored = store.load(folder, version)
    Desk(taxonomy, segmenter, stored)
    golden.check(stored, segmenter)
    return stored


def find(home: Path, name: str) -> str:
    """The version that a person means by ``live``, by its name, or by the beginning of its name; pruned ones too.

    Raises InputError for what can be no name, ModelError ("unknown-model", 404) for none or several.
    """
    folder = model_folder(home)
    if store.VERSION.fullmatch(name) is None:
        raise InputError(f'models: version "{name[:80]}" is no version name. Letters, digits, dot, dash and underscore are allowed. See `triage models list`.')
    with storage(home):
        live = store.current(folder)
        known = sorted({*store.versions(folder), *store.pruned(folder)})
    meant = [live] if name == "live" and live else [version for version in known if version.startswith(name)]
    if name in known or len(meant) == 1:
        return name if name in known else meant[0]
    found = f"begins {len(meant)} versions" if meant else "is not known"
    raise ModelError(f'models: version "{name}" {found}. One of {len(known)} is needed, or `live`. See `triage models list`.', kind="unknown-model", status=404)


@contextmanager
def storage(home: Path) -> Iterator[None]:
    """What the disk or the folder of models refuses, said as StorageError and ModelError."""
    try:
        yield
    except RefusedModelError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise StorageError(
            f"{home}: cannot be used ({error.strerror or error}). The office's folder must be writable and have room. Set TRIAGE_HOME to another folder, or free space."
        ) from error


def golden_letters() -> list[Letter]:
    """Sixteen short starter letters of as many categories, always the same ones while the starter letters are; for ``golden.decided``."""
    short: dict[str, Letter] = {}
    for labelled in starter_letters(shipped()):
        if 40 <= len(labelled.letter.text) <= 120:
            short.setdefault(labelled.category, labelled.letter)
    spread = [short[category] for category in sorted(short)]
    return [spread[number * len(spread) // N_GOLDEN] for number in range(N_GOLDEN)]


def _objections_now(folder: Path, candidate: Stored, live: str | None, taxonomy: Taxonomy) -> list[str]:
    """The objections as things stand; a live model that cannot be read is one itself, or nobody could ever replace it."""
    if live is None:
        return objections(candidate, None, taxonomy)
    try:
        return objections(candidate, store.load(folder, live), taxonomy)
    except RefusedModelError as error:
        return [*objections(candidate, None, taxonomy), f"the live model {live} cannot be read, so nothing can be compared with it ({error})"]


def _not_better(candidate: Stored, live: str, taxonomy: Taxonomy) -> list[str]:
    comparison = candidate.card.get("comparison") or {}
    if comparison.get("live") != live:
        return [f"not compared with the live model {live}; run `triage evaluate FILE --model {candidate.version} --against live --keep`"]
    overall = {name: difference for name, difference in comparison["overall"].items() if name in DECISIVE}
    recall = {f"recall of {_named(category, taxonomy)}": difference for category, difference in comparison["recall"].items()}
    return [_figures(name, difference) for name, difference in (overall | recall).items() if difference["worse"]]


def _figures(name: str, difference: dict[str, Any]) -> str:
    figures = f"{difference['candidate']:.3f} instead of {difference['live']:.3f}"
    return f"{name} {figures} (difference {difference['difference']:+.3f}, between {difference['low']:+.3f} and {difference['high']:+.3f})"


def _lacks(candidate: Stored, live: Stored, taxonomy: Taxonomy) -> list[str]:
    known = candidate.model.head(CATEGORY).labels
    lost = [label for label in live.model.head(CATEGORY).labels if label in taxonomy.categories and label not in known]
    return [f"lacks {len(lost)} categories in use: {', '.join(_named(label, taxonomy) for label in lost)}"] if lost else []


def _unknown(candidate: Stored, taxonomy: Taxonomy) -> list[str]:
    labels = candidate.model.head(CATEGORY).labels
    strange = [f'category "{label}" is not in categories.toml' for label in labels if label not in taxonomy.categories]
    known = [taxonomy.categories[label] for label in labels if label in taxonomy.categories]
    homeless = [category for category in known if category.lead not in taxonomy.departments or not taxonomy.departments[category.lead].route]
    return strange + [f'category "{category.code}" goes to department "{category.lead}", which is not in departments.toml' for category in homeless]


def _named(category: str, taxonomy: Taxonomy) -> str:
    return f"{taxonomy.categories[category].name} ({category})" if category in taxonomy.categories else category


def _not_promotable(version: str, found: list[str]) -> ModelError:
    listed = "; ".join(f"({number}) {objection}" for number, objection in enumerate(found, 1))
    return ModelError(
        f"model {version}: {len(found)} objections: {listed}. A candidate takes the place of the live model when there is none. "
        f'Mend them, or run `triage models promote {version} --force --why "REASON"`.',
        kind="not-promotable",
        status=409,
    )
