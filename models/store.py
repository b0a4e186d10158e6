"""Model folders: save atomically, check, list, make current.

A model is a folder of plain arrays (``.npy``, mapped into memory, shared by all processes), ``vocabulary.txt`` for people, and
``card.json``. Nothing in it is code. A folder appears whole, by one rename, or not at all, and goes so too; which version is live
stands in ``history.jsonl`` (see ``models.history``). Who writes in the folder of models holds its lock.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
import shutil
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from models import history
from models.calibration import Curve
from models.classifier import CategoryModel, Head
from models.disk import flush, locked, replace
from models.errors import RefusedModelError
from models.features import Vocabulary, read_only
from models.history import PROMOTE, Change
from models.weights import Weights, full

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 3  # 2 had weights in float32, 1 no golden letters
CARD = "card.json"
CURRENT = "current"  # where release 0.1 named the live version
PRUNED = "pruned"
SAVING, PRUNING = ".saving-", ".pruning-"
ABANDONED = 3600  # seconds after which a save that nobody finished is swept away
ARRAYS = {"keys.npy": np.uint64, "idf.npy": np.float32, "weights.npy": np.int16, "units.npy": np.float32, "intercepts.npy": np.float32}
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A model that was read from its folder, with its version and its card."""

    version: str
    model: CategoryModel
    card: dict[str, Any]


def new_version(now: datetime | None = None) -> str:
    """A version that sorts by time: UTC to the second and four random digits.

    >>> new_version(datetime(2026, 11, 22, 8, 15, 30, tzinfo=UTC))[:20]
    '2026-11-22T08-15-30Z'
    """
    return f"{now or datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}-{secrets.token_hex(2)}"


def save(folder: Path, version: str, model: CategoryModel, terms: list[str], card: dict[str, Any], *, also: dict[str, NDArray[Any]] | None = None) -> None:
    """Write a model to ``folder/version``: killed at any moment, the folder is there whole or not at all.

    ``terms`` are the vocabulary in the order of the keys. ``card`` is kept as it is, under what this function adds: format, version,
    heads, number of features, and size and checksum of every file. ``also`` are further arrays by file name. Raises OSError when the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / f"{SAVING}{version}"
    with locked(folder):
        work.mkdir()
        try:
            files = _write(work, model, terms, also or {})
            heads = [asdict(head) for head in model.heads]
            full = {"format": FORMAT, "version": version, "features": len(model.vocabulary), "heads": heads, "files": files, **card}
            (work / CARD).write_bytes(sealed(full))
            for path in work.iterdir():
                flush(path)
            work.rename(folder / version)
            flush(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _write(work: Path, model: CategoryModel, terms: list[str], also: dict[str, NDArray[Any]]) -> dict[str, dict[str, Any]]:
    """Arrays and vocabulary; returns size and checksum of every file."""
    arrays: dict[str, NDArray[Any]] = {
        "keys.npy": model.vocabulary.keys,
        "idf.npy": model.vocabulary.idf,
        "weights.npy": model.weights.steps,
        "units.npy": model.weights.units,
        "intercepts.npy": model.weights.intercepts,
        **also,
    }
    for name, array in arrays.items():
        np.save(work / name, array, allow_pickle=False)
    (work / "vocabulary.txt").write_text("\n".join(terms) + "\n", "utf-8")
    return {path.name: {"bytes": path.stat().st_size, "sha256": _checksum(path)} for path in sorted(work.iterdir())}


def load(folder: Path, version: str) -> Stored:
    """Read and check ``folder/version``; the arrays stay on disk and are mapped. Raises RefusedModelError."""
    _check_name(version)
    path = folder / version
    card = _card(path / CARD)
    for name, facts in card["files"].items():
        if "/" in name or "\\" in name or name.startswith("."):
            raise _refused(path / CARD, "lists a file outside its folder")
        _check_file(path / name, facts)
    arrays = {name: _array(path / name, kind) for name, kind in ARRAYS.items()}
    vocabulary = Vocabulary(arrays["keys.npy"], arrays["idf.npy"])
    weights = Weights(*(read_only(arrays[name]) for name in ("weights.npy", "units.npy", "intercepts.npy")))
    model = CategoryModel(vocabulary, weights, _heads(path, card))
    _check_shapes(path, model)
    return Stored(version, model, card)


def sealed(card: dict[str, Any]) -> bytes:
    """A card as JSON with its own checksum as the last entry."""
    return json.dumps(card | {"checksum": _seal(card)}, ensure_ascii=False, indent=1).encode()


def _seal(card: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(card, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def versions(folder: Path) -> list[str]:
    """The versions in a folder, oldest first; folders that were never finished are not among them."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".") and (path / CARD).is_file())


def pruned(folder: Path) -> list[str]:
    """The versions of which only the card was kept, oldest first."""
    return sorted(path.stem for path in (folder / PRUNED).glob("[!.]*.json"))


def card(folder: Path, version: str) -> dict[str, Any]:
    """A version's card, also of one that was pruned or that another release made. Raises RefusedModelError when it is damaged or not there."""
    _check_name(version)
    path = folder / version / CARD
    kept = folder / PRUNED / f"{version}.json"
    return _sealed_card(kept if kept.is_file() and not path.is_file() else path)


def current(folder: Path) -> str | None:
    """The live version, or None when none was ever made current. Raises RefusedModelError when the history is damaged."""
    try:  # read first: the first change writes the history, and only then removes this file
        of_old = (folder / CURRENT).read_text("ascii", "replace").strip() or None
    except FileNotFoundError:
        of_old = None
    changes = history.read(folder)
    return changes[-1].version if changes else of_old


def make_current(folder: Path, version: str, *, action: str = PROMOTE, who: str = "", why: str = "", objections: Sequence[str] = ()) -> Change:
    """Name the live version, by one atomic rename, without asking whether it is any good. Only while holding ``disk.locked(folder)``."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    change = Change(action, version, current(folder), now, who, why, forced=bool(objections), objections=tuple(objections))
    history.append(folder, change)
    (folder / CURRENT).unlink(missing_ok=True)
    return change


def keep_comparison(folder: Path, version: str, comparison: dict[str, Any]) -> None:
    """Put onto a model's card how it compares with another one; whole or not at all. Raises RefusedModelError."""
    with locked(folder):
        full = card(folder, version)
        replace(folder / version / CARD, sealed(full | {"comparison": comparison}))


def prune(folder: Path, keep: int) -> list[str]:
    """Delete old versions but for their cards, and what killed saves left; returns the versions deleted, oldest first.

    The live one, the one that roll back would bring, and the ``keep`` newest stay. Raises RefusedModelError when none is live.
    """
    with locked(folder):
        live = current(folder)
        if live is None:
            raise RefusedModelError(f"{folder}: no model is live. Pruning keeps the live one and so must know it. Run `triage models promote VERSION` first.")
        known = versions(folder)
        kept = {live, *history.lineage(history.read(folder))[-2:], *known[max(len(known) - keep, 0) :]}
        old = [version for version in known if version not in kept]
        for version in old:
            _discard(folder, version)
        _sweep(folder)
    return old


def _discard(folder: Path, version: str) -> None:
    (folder / PRUNED).mkdir(exist_ok=True)
    replace(folder / PRUNED / f"{version}.json", (folder / version / CARD).read_bytes())
    (folder / version).rename(folder / f"{PRUNING}{version}")  # a kill while files go leaves no half model under a version's name


def _sweep(folder: Path) -> None:
    abandoned = [path for path in folder.glob(f"{SAVING}*") if time.time() - path.stat().st_mtime > ABANDONED]
    for path in [*abandoned, *folder.glob(f"{PRUNING}*")]:
        shutil.rmtree(path)


def _check_name(version: str) -> None:
    if VERSION.fullmatch(version) is None:
        raise RefusedModelError(
            f'models: version "{version[:80]}" is no version name. Letters, digits, dot, dash and underscore are allowed. See `triage models list`.'
        )


def _sealed_card(path: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads(path.read_bytes())
        seal = card.pop("checksum")
    except FileNotFoundError as error:
        raise RefusedModelError(f"{path}: not there, so this is no model folder. Choose one of `triage models list`, or run `triage init`.") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise _refused(path, "is no card of a model") from error
    if seal != _seal(card):
        raise _refused(path, "is damaged (its checksum differs)")
    return card


def _card(path: Path) -> dict[str, Any]:
    card = _sealed_card(path)
    if card.get("format") != FORMAT:
        raise RefusedModelError(
            f"{path}: format {card.get('format')!r}, made by another release. This release reads format {FORMAT}. Upgrade the program, or retrain."
        )
    if not isinstance(card.get("files"), dict) or not set(ARRAYS) <= set(card["files"]) or not isinstance(card.get("heads"), list):
        raise _refused(path, "lacks its list of files or heads")
    return card


def _heads(path: Path, card: dict[str, Any]) -> tuple[Head, ...]:
    try:
        return tuple(
            Head(**head | {"labels": tuple(head["labels"]), "send_thresholds": tuple(head["send_thresholds"]), "curve": Curve(**head["curve"])})
            for head in card["heads"]
        )
    except (TypeError, KeyError) as error:
        raise _refused(path / CARD, "holds a head of another kind") from error


def _check_file(path: Path, facts: dict[str, Any]) -> None:
    if not path.is_file():
        raise _refused(path, "is missing")
    if path.stat().st_size != facts["bytes"]:
        raise _refused(path, f"has {path.stat().st_size} bytes instead of {facts['bytes']}")
    if _checksum(path) != facts["sha256"]:
        raise _refused(path, "is damaged (its checksum differs from the card's)")


def _array(path: Path, kind: type) -> np.ndarray[Any, Any]:
    try:
        array = np.lib.format.open_memmap(path, mode="r")  # not np.load, which opens archives and pickles too
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise _refused(path, "is not a plain array") from error
    if array.dtype != kind:
        raise _refused(path, f"holds {array.dtype}, not {np.dtype(kind)}")
    return np.asarray(array)


def _check_shapes(path: Path, model: CategoryModel) -> None:
    n_features, n_outputs = len(model.vocabulary), sum(len(head.labels) for head in model.heads)
    ends = [head.span.stop for head in model.heads]
    starts = [head.first for head in model.heads]
    steps, units, intercepts = model.weights
    fits = steps.shape == (n_features, full(n_outputs)) and model.vocabulary.idf.shape == (n_features,) and units.shape == intercepts.shape == (n_outputs,)
    if not fits or starts != [0, *ends[:-1]] or any(len(head.send_thresholds) != len(head.labels) for head in model.heads):
        raise _refused(path / CARD, "and the arrays contradict each other")
    for name, values in (("idf.npy", model.vocabulary.idf), ("units.npy", units), ("intercepts.npy", intercepts)):
        if not math.isfinite(float(values.sum(dtype=np.float64))):
            raise _refused(path / name, "holds values that are not numbers")


def _refused(path: Path, what: str) -> RefusedModelError:
    return RefusedModelError(
        f"{path}: {what}. A model is used only as it was saved. Restore the folder from a backup, make another version current, or retrain."
    )


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
