"""Model folders: save atomically, check, list, make current.

A model is a folder of plain arrays (``.npy``, mapped into memory, shared by all processes), ``vocabulary.txt`` for people, and
``card.json``. Nothing in it is code. A folder appears whole, by one rename, or not at all; ``current`` is a small file that names the
live version and is replaced by one rename too.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from models.calibration import Curve
from models.classifier import CategoryModel, Head
from models.features import Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 1
CARD = "card.json"
CURRENT = "current"
ARRAYS = {"keys.npy": np.uint64, "idf.npy": np.float32, "weights.npy": np.float32, "intercepts.npy": np.float32}
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RefusedModelError(Exception):
    """A model folder that must not be used; the message says which file, what is wrong, and what to do."""


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


def save(folder: Path, version: str, model: CategoryModel, terms: list[str], card: dict[str, Any]) -> None:
    """Write a model to ``folder/version``: killed at any moment, the folder is there whole or not at all.

    ``terms`` are the vocabulary in the order of the keys. ``card`` is kept as it is, under what this function adds: format, version,
    heads, number of features, and size and checksum of every file. Raises OSError when the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / f".saving-{version}"
    work.mkdir()
    try:
        arrays: dict[str, NDArray[Any]] = {
            "keys.npy": model.vocabulary.keys,
            "idf.npy": model.vocabulary.idf,
            "weights.npy": model.weights,
            "intercepts.npy": model.intercepts,
        }
        for name, array in arrays.items():
            np.save(work / name, array, allow_pickle=False)
        (work / "vocabulary.txt").write_text("\n".join(terms) + "\n", "utf-8")
        files = {path.name: {"bytes": path.stat().st_size, "sha256": _checksum(path)} for path in sorted(work.iterdir())}
        heads = [asdict(head) for head in model.heads]
        full = {"format": FORMAT, "version": version, "features": len(model.vocabulary), "heads": heads, "files": files, **card}
        (work / CARD).write_bytes(sealed(full))
        for path in work.iterdir():
            _flush(path)
        work.rename(folder / version)
        _flush(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def load(folder: Path, version: str) -> Stored:
    """Read and check ``folder/version``; the arrays stay on disk and are mapped. Raises RefusedModelError."""
    if VERSION.fullmatch(version) is None:
        raise RefusedModelError(
            f'models: version "{version[:80]}" is no version name. Letters, digits, dot, dash and underscore are allowed. See `triage models list`.'
        )
    path = folder / version
    card = _card(path)
    for name, facts in card["files"].items():
        if "/" in name or "\\" in name or name.startswith("."):
            raise _refused(path / CARD, "lists a file outside its folder")
        _check_file(path / name, facts)
    arrays = {name: _array(path / name, kind) for name, kind in ARRAYS.items()}
    vocabulary = Vocabulary(arrays["keys.npy"], arrays["idf.npy"])
    model = CategoryModel(vocabulary, arrays["weights.npy"], arrays["intercepts.npy"], _heads(path, card))
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


def current(folder: Path) -> str | None:
    """The live version, or None when none was ever made current."""
    try:
        return (folder / CURRENT).read_text("ascii").strip() or None
    except FileNotFoundError:
        return None


def make_current(folder: Path, version: str) -> None:
    """Name the live version: one atomic rename."""
    work = folder / f".{CURRENT}-{os.getpid()}"
    work.write_text(version + "\n", "ascii")
    _flush(work)
    work.rename(folder / CURRENT)
    _flush(folder)


def _card(path: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads((path / CARD).read_bytes())
        seal = card.pop("checksum")
    except FileNotFoundError as error:
        raise RefusedModelError(f"{path / CARD}: not there, so this is no model folder. Choose one of `triage models list`, or run `triage init`.") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise _refused(path / CARD, "is no card of a model") from error
    if seal != _seal(card):
        raise _refused(path / CARD, "is damaged (its checksum differs)")
    if card.get("format") != FORMAT:
        raise RefusedModelError(
            f"{path / CARD}: format {card.get('format')!r}, made by another release. This release reads format {FORMAT}. Upgrade the program, or retrain."
        )
    if not isinstance(card.get("files"), dict) or not set(ARRAYS) <= set(card["files"]) or not isinstance(card.get("heads"), list):
        raise _refused(path / CARD, "lacks its list of files or heads")
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
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise _refused(path, "is not a plain array") from error
    if array.dtype != kind:
        raise _refused(path, f"holds {array.dtype}, not {np.dtype(kind)}")
    return np.asarray(array)


def _check_shapes(path: Path, model: CategoryModel) -> None:
    n_features, n_outputs = len(model.vocabulary), sum(len(head.labels) for head in model.heads)
    ends = [head.span.stop for head in model.heads]
    starts = [head.first for head in model.heads]
    fits = model.weights.shape == (n_features, n_outputs) and model.vocabulary.idf.shape == (n_features,) and model.intercepts.shape == (n_outputs,)
    if not fits or starts != [0, *ends[:-1]] or any(len(head.send_thresholds) != len(head.labels) for head in model.heads):
        raise _refused(path / CARD, "and the arrays contradict each other")
    if not math.isfinite(float(model.weights.sum(dtype=np.float64)) + float(model.intercepts.sum(dtype=np.float64))):
        raise _refused(path / "weights.npy", "holds values that are not numbers")


def _refused(path: Path, what: str) -> RefusedModelError:
    return RefusedModelError(
        f"{path}: {what}. A model is used only as it was saved. Restore the folder from a backup, make another version current, or retrain."
    )


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
