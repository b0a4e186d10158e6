"""What persons corrected in the letter register, beside the labelled letters of the files."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from training.labelled import LabelledLetter, Source
from triage.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from training.labelled import Labelled
    from triage.register.labels import Said
    from triage.taxonomy import Taxonomy

NAME = "register"


def with_register(labelled: Labelled, said: Iterable[Said], taxonomy: Taxonomy, weight: float) -> Labelled:
    """The letters of the files, and behind them those that persons labelled in the register, each of ``weight``.

    A letter that stands under its label already is left out, and so is one of a category that the taxonomy no longer knows. Raises
    InputError when the files bring categories of their own.
    """
    if labelled.own_labels:
        raise InputError(
            f"{labelled.sources[0].name}: has categories of its own. The register's are those of categories.toml, so the two cannot be learned together. "
            "Leave --register out, or use the codes of categories.toml."
        )
    seen = {(item.letter.text, item.category) for item in labelled.letters}
    added, rows, digest = [], 0, sha256()
    for label in said:
        rows += 1
        key = (label.letter.text, label.category)
        if key in seen or label.category not in taxonomy.categories or not label.letter.text.strip():
            continue
        seen.add(key)
        digest.update("\t".join(key).encode("utf-8", "replace"))
        purpose = label.purpose if label.purpose in taxonomy.purposes else ""
        added.append(LabelledLetter(label.letter, label.category, purpose, writer=label.letter.sender, where=label.where, weight=weight))
    source = Source(NAME, digest.hexdigest(), rows, used=len(added), refused=0, unreviewed=0, repeats=rows - len(added), columns={})
    note = f"register: {len(added):,} letters that persons corrected or confirmed, of weight {weight:g}"
    return replace(labelled, letters=(*labelled.letters, *added), sources=(*labelled.sources, source), notes=(*labelled.notes, note))
