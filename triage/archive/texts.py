"""A plain text file -> its text, in the encoding that fits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage import decoding
from triage.errors import InputError
from triage.sandbox import RefusedFileError

if TYPE_CHECKING:
    from pathlib import Path


def text_of(path: Path) -> str:
    """The text of a file in the encoding that fits it (see ``triage.decoding``). Raises RefusedFileError when none does."""
    try:
        encoding, _ = decoding.recognise(path, "text")
    except InputError as error:
        raise RefusedFileError(f"{str(error).partition('. ')[0]}. Save it as UTF-8.", error.kind) from error
    with decoding.open_text(path, encoding) as file:
        return file.read().replace("\r\n", "\n").replace("\r", "\n")
