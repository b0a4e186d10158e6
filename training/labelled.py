"""Labelled letters in; every bad line named by file and line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
from triage.errors import InputError
from triage.letter import Letter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from triage.taxonomy import Taxonomy

STARTER = Path(models.__file__).parent / "starter" / "letters"
FIELDS = ("title", "body", "category", "second", "purpose", "writer")


@dataclass(frozen=True, slots=True)
class LabelledLetter:
    """A letter with what a person says it is. ``second`` is the category of its other matter, empty when it has one only.

    ``writer`` is an opaque mark: letters of one writer are never on both sides of a split.
    """

    letter: Letter
    category: str
    purpose: str
    second: str = ""
    writer: str = ""


def starter_letters(taxonomy: Taxonomy) -> list[LabelledLetter]:
    """The letters that this project wrote itself (``models/starter``), in a fixed order."""
    return [labelled for path in sorted(STARTER.glob("*.jsonl")) for labelled in read_jsonl(path, taxonomy)]


def read_jsonl(path: Path, taxonomy: Taxonomy) -> list[LabelledLetter]:
    """One JSON object a line with the fields of ``FIELDS``. Raises InputError with file and line, TaxonomyError for a label."""
    with path.open(encoding="utf-8") as lines:
        return list(_labelled(path, lines, taxonomy))


def _labelled(path: Path, lines: Iterable[str], taxonomy: Taxonomy) -> Iterable[LabelledLetter]:
    for number, line in enumerate(lines, 1):
        where = f"{path.name} line {number}"
        row = _row(where, line)
        taxonomy.check_knows([row["category"], *([row["second"]] if row["second"] else [])], where)
        if row["purpose"] not in taxonomy.purposes:
            raise InputError(f'{where}: purpose "{row["purpose"]}" is unknown. Allowed: {", ".join(taxonomy.purposes)}. Correct the line.')
        letter = Letter(row["body"], title=row["title"], id=f"{path.stem}-{number:03d}")
        yield LabelledLetter(letter, row["category"], row["purpose"], row["second"], row["writer"])


def _row(where: str, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON (column {error.colno}). One object a line is allowed. Correct the line.") from error
    if not isinstance(row, dict) or tuple(row) != FIELDS or not all(isinstance(value, str) for value in row.values()):
        raise InputError(f"{where}: the fields must be {', '.join(FIELDS)}, all texts, in this order. Correct the line.")
    return row
