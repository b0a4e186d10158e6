"""Labelled letters in: the tables that staff keep, and our own starter letters. Every bad row is named by file and row."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
from training.drafts import Reading, read_drafts
from training.labels import Judged, Verdict, judge, quoted
from training.refused import write_refused
from triage.errors import InputError
from triage.letter import Letter
from triage.tables import shown
from triage.taxonomy import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from triage.taxonomy import Taxonomy

STARTER = Path(models.__file__).parent / "starter" / "letters"
FIELDS = ("title", "body", "category", "second", "purpose", "writer")
NOTED_LABELS = 20  # of the unknown ones, the most frequent first
NO_PURPOSE = Verdict()
LINES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".gz")  # of which a person counts lines, not rows


@dataclass(frozen=True, slots=True)
class LabelledLetter:
    """A letter with what a person says it is. ``second`` is the category of its other matter, empty when it has one only.

    ``purpose`` is empty where nobody gave one. ``writer`` is an opaque mark: letters of one writer are never on both sides of a split.
    ``where`` says which row of which file it was; a letter of ``weight`` 2 counts as two.
    """

    letter: Letter
    category: str
    purpose: str = ""
    second: str = ""
    writer: str = ""
    where: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: its ``name`` without folder, the SHA-256 of its bytes, which column was taken for what.

    Of its ``rows``, each is either used, refused, not yet ``unreviewed``, or a repeat of a letter that is used.
    """

    name: str
    sha256: str
    rows: int
    used: int
    refused: int
    unreviewed: int
    repeats: int
    columns: dict[str, str]


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the files hold. ``own_labels``: the categories are the files' own, kept as they stand, not codes of the taxonomy.

    ``refused`` counts the rows that stand, with their reasons, in ``refused_files``; ``notes`` are what a person should know.
    """

    letters: tuple[LabelledLetter, ...]
    refused: int
    refused_files: tuple[Path, ...]
    own_labels: bool
    sources: tuple[Source, ...]
    notes: tuple[str, ...]


def read_labelled(paths: Sequence[Path], taxonomy: Taxonomy, *, text: str = "", label: str = "", sheet: str = "") -> Labelled:
    """Labelled letters of tables (CSV, TSV, XLSX, XLS, JSON Lines, Parquet), judged together, in the order of the files and rows.

    ``text`` and ``label`` name columns, ``sheet`` a worksheet. Refused rows go to a file beside theirs (see ``training.refused``).
    Raises InputError for a file or a column that cannot be read or found and for fewer than two categories, StorageError when refused rows cannot be written.
    """
    readings = [read_drafts(path, text=text, label=label, sheet=sheet) for path in dict.fromkeys(paths)]
    drafts = [draft for reading in readings for draft in reading.drafts]
    labels = judge(Counter(draft.labels for draft in drafts), taxonomy.categories)
    purposes = judge(Counter((draft.purpose, "") for draft in drafts if draft.purpose), taxonomy.purposes)
    del drafts
    seen: set[bytes] = set()
    settled = [list(_settled(reading, labels, purposes, seen)) for reading in readings]
    taken = {path.resolve() for path in paths}
    written = [_write_refused(reading, taken, sheet) for reading in readings]
    letters = tuple(letter for found in settled for letter in found)
    _check_classes(letters, readings, written)
    return Labelled(
        letters,
        refused=sum(len(reading.refused) for reading in readings),
        refused_files=tuple(path for path in written if path),
        own_labels=labels.own,
        sources=tuple(_source(reading, len(found)) for reading, found in zip(readings, settled, strict=True)),
        notes=(*_label_notes(labels, purposes), *(note for reading in readings for note in _notes(reading))),
    )


def _settled(reading: Reading, labels: Judged, purposes: Judged, seen: set[bytes]) -> Iterator[LabelledLetter]:
    """The letters of a file whose labels are good, each once; hands the drafts back to the memory as it goes."""
    word = "line" if reading.table.path.suffix.lower() in LINES else "row"
    reading.drafts.reverse()
    while reading.drafts:
        draft = reading.drafts.pop()
        verdict, purpose = labels.verdicts[draft.labels], purposes.verdicts.get((draft.purpose, ""), NO_PURPOSE)
        mark = _mark(draft.letter.text, verdict.code)
        if problem := "；".join(filter(None, (verdict.problem and f"类别{verdict.problem}", purpose.problem and f"目的{purpose.problem}"))):
            reading.refused[draft.number] = problem
        elif mark in seen:
            reading.counts["repeats"] += 1
        else:
            seen.add(mark)
            where = f"{reading.table.where} {word} {draft.number}"
            yield LabelledLetter(draft.letter, verdict.code, "" if purposes.own else purpose.code, verdict.second, draft.writer, where, draft.weight)


def _mark(text: str, label: str) -> bytes:
    """The same for letters that differ in blanks, case and full-width forms only, under one label."""
    same = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    return blake2b(f"{label}\0{same}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _write_refused(reading: Reading, taken: set[Path], sheet: str) -> Path | None:
    reasons = {number: f"{shown(reading.table.path.name)} 第 {number} 行：{why}" for number, why in reading.refused.items()}
    return write_refused(reading.table.path, reasons, taken, sheet=sheet)


def _check_classes(letters: Sequence[LabelledLetter], readings: Sequence[Reading], written: Sequence[Path | None]) -> None:
    categories = {labelled.category for labelled in letters}
    if len(categories) > 1:
        return
    rows, refused, unreviewed = (sum(counts) for counts in zip(*((r.counts["rows"], len(r.refused), r.counts["unreviewed"]) for r in readings), strict=True))
    what = f"all {len(letters)} letters are {quoted(*categories)}" if letters else "no letter can be used"
    files = ", ".join(path.name for path in written if path)
    raise InputError(
        f"{', '.join(shown(reading.table.path.name) for reading in readings)}: {what} ({rows} rows, {refused} refused, {unreviewed} not reviewed). "
        f"A model learns to tell at least two categories apart. {f'Correct the rows in {files}' if files else 'Add letters of other categories'}, and train again.",
        kind="not-enough-classes",
    )


def _source(reading: Reading, used: int) -> Source:
    table, counts = reading.table, reading.counts
    columns = {role: table.columns[index] for role, index in reading.columns.items()}
    return Source(shown(table.path.name), reading.sha256, counts["rows"], used, len(reading.refused), counts["unreviewed"], counts["repeats"], columns)


def _notes(reading: Reading) -> Iterator[str]:
    yield from reading.notes
    for what, rows in (
        ("not reviewed", reading.counts["unreviewed"]),
        ("repeats of a letter under its label", reading.counts["repeats"]),
    ):
        if rows:
            yield f"{reading.table.where}: rows left out, {what}: {rows:,}"


def _label_notes(labels: Judged, purposes: Judged) -> Iterator[str]:
    if labels.own:
        yield "the labels are not those of categories.toml: the files bring their own categories, kept as they stand"
    if purposes.own:
        yield "the purposes are not those of categories.toml: they are not learned"
    for kind, judged in (("category", labels), ("purpose", purposes)):
        for label, rows, near in judged.unknown[:NOTED_LABELS]:
            yield f"{kind} {quoted(label)} is unknown, rows refused: {rows:,}{f' (nearest {quoted(near)})' if near else ''}"
        if len(judged.unknown) > NOTED_LABELS:
            yield f"{kind}: {len(judged.unknown) - NOTED_LABELS:,} more are unknown; is it the right column?"


def starter_letters(taxonomy: Taxonomy) -> list[LabelledLetter]:
    """The letters that this project wrote itself (``models/starter``), in a fixed order; those of categories that an office has kept.

    A second category or a purpose that it has not kept is left empty.
    """
    return [_kept(item, taxonomy) for item in _all_starter_letters() if item.category in taxonomy.categories]


@cache
def _all_starter_letters() -> tuple[LabelledLetter, ...]:
    taxonomy = shipped()
    return tuple(labelled for path in sorted(STARTER.glob("*.jsonl")) for labelled in read_jsonl(path, taxonomy))


def _kept(item: LabelledLetter, taxonomy: Taxonomy) -> LabelledLetter:
    known = item.second in taxonomy.categories, item.purpose in taxonomy.purposes
    return item if all(known) else replace(item, second=item.second if known[0] else "", purpose=item.purpose if known[1] else "")


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
