"""Bytes of a text file -> text: which encoding it is, checked over the whole file before the first row is handed out.

The order is fixed: byte order mark, then UTF-8, then GB18030 (which contains GBK and GB2312), each strict, else refusal. It cannot be
turned round: 37 % of short Chinese UTF-8 texts also decode as GB18030, without error and into nonsense; the other way 0.05 %.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from contextlib import closing
from typing import IO, TYPE_CHECKING, TextIO, cast

from triage.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GZIP = b"\x1f\x8b"
CHUNK = 1 << 20
HEAD = 1 << 16
MAX_LINE = 1 << 26  # characters; a line is held in memory
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMMON = "的一是在不了有和人大中上到地生子年得着就那要下以可也你道里去心"  # frequent, and the same in both scripts
_ALLOWED = "UTF-8, GB18030 (GBK) and UTF-16 with a byte order mark are recognised. Save as CSV UTF-8, or name the encoding."


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when it is a .gz whatever its name says."""
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def open_text(path: Path, encoding: str) -> TextIO:
    """The file's text; line ends stay as they are written."""
    return io.TextIOWrapper(open_bytes(path), encoding, newline="")


def head(path: Path, where: str) -> bytes:
    """The first 64 KiB, unpacked. Raises InputError for a damaged .gz."""
    try:
        with open_bytes(path) as file:
            return file.read(HEAD)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(where) from error


def lines(path: Path, encoding: str, where: str) -> Iterator[str]:
    r"""Lines with their ends (``\n``, ``\r\n`` or ``\r``), NUL removed. Raises InputError for a line over ``MAX_LINE``."""
    with open_text(path, encoding) as text:
        number = 0
        while line := text.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE:
                raise InputError(f"{where} line {number}: longer than {MAX_LINE:,} characters. Split the line.", kind="line-too-long")
            yield line.replace("\0", "") if "\0" in line else line


def recognise(path: Path, where: str, given: str = "") -> tuple[str, tuple[str, ...]]:
    """The name of the encoding that reads the whole file, and what a person should know about it.

    ``given`` wins over what the file says of itself. Raises InputError (``unknown-encoding``) with the offset of the first byte that
    does not fit.
    """
    try:
        encoding = _fits(path, where, given) if given else _recognise(path, where)
        nuls = _count(path, b"\0") if not encoding.startswith(("utf-16", "utf-32")) else 0
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(where) from error
    notes = [] if encoding.startswith("utf-8") else [f"read as {encoding.upper()}"]
    return encoding, tuple(notes + ([f"{nuls:,} NUL characters removed"] if nuls else []))


def _fits(path: Path, where: str, given: str) -> str:
    try:
        b"a".decode(given, "replace")
        misfit = _misfit(path, given)
    except (LookupError, UnicodeError) as error:
        raise InputError(
            f'{where}: encoding "{given[:40]}" is unknown. utf-8, gb18030, utf-16, big5 and others are allowed.', kind="unknown-encoding"
        ) from error
    if misfit is not None:
        raise _refused(path, where, misfit, given)
    return given


def _recognise(path: Path, where: str) -> str:
    start = head(path, where)
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return _fits(path, where, encoding)
    if guess := _unmarked_utf16(start):
        raise InputError(f"{where}: looks like {guess} without a byte order mark. {_ALLOWED}", kind="unknown-encoding")
    misfit = _misfit(path, "utf-8")
    return "utf-8" if misfit is None else _not_utf8(path, where, start, misfit)


def _not_utf8(path: Path, where: str, start: bytes, misfit: int) -> str:
    if _is_mostly_utf8(path, misfit):
        raise _refused(path, where, misfit, "utf-8")
    if guess := _foreign(start):
        raise InputError(f"{where}: looks like {guess}. {_ALLOWED}", kind="unknown-encoding")
    other = _misfit(path, "gb18030")
    if other is not None:
        raise _refused(path, where, *((other, "gb18030") if other > misfit else (misfit, "utf-8")))
    return "gb18030"


def _misfit(path: Path, encoding: str) -> int | None:
    """Offset of the first byte that cannot be read, None when the whole file can."""
    decoder, seen = codecs.getincrementaldecoder(encoding)("strict"), 0
    with closing(open_bytes(path)) as file:
        while True:
            chunk = file.read(CHUNK)
            seen += len(chunk)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return seen - len(error.object) + error.start
            if not chunk:
                return None


def _is_mostly_utf8(path: Path, misfit: int) -> bool:
    """Whether eight characters of more than one byte stand before the misfit: by chance GB18030 does so once in 10 million files."""
    with open_bytes(path) as file:
        file.seek(max(0, misfit - HEAD))
        before = file.read(min(misfit, HEAD)).decode("utf-8", "ignore")
    return sum(character >= "\x80" for character in before) >= 8


def _unmarked_utf16(start: bytes) -> str:
    """A header in UTF-16: every second byte of its delimiters and line ends is NUL, and no other is."""
    even = start[: min(len(start), 512) // 2 * 2]
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        nuls = even[first::2].count(0)
        marks = sum(even.decode(encoding, "replace").count(sign) for sign in ",;|\t\n")
        if nuls >= 3 and marks >= 2 and not even[1 - first :: 2].count(0):
            return encoding.upper()
    return ""


def _foreign(start: bytes) -> str:
    """Encodings whose bytes would pass as GB18030 and come out as nonsense."""
    latin = start.decode("cp037")
    if sum(letter.isascii() and (letter.isprintable() or letter.isspace()) for letter in latin) > 0.95 * len(latin):
        return "EBCDIC"
    as_big5, as_gb = start.decode("big5", "ignore"), start.decode("gb18030", "ignore")
    common = [sum(map(text.count, _COMMON)) for text in (as_big5, as_gb)]
    return "Big5" if common[0] > 2 * common[1] else ""


def _count(path: Path, sought: bytes, stop: int | None = None) -> int:
    found, left = 0, stop
    with open_bytes(path) as file:
        while chunk := file.read(CHUNK if left is None else min(CHUNK, left)):
            found += chunk.count(sought)
            left = None if left is None else left - len(chunk)
    return found


def _refused(path: Path, where: str, misfit: int, encoding: str) -> InputError:
    line = _count(path, b"\n", misfit) + 1
    return InputError(f"{where} line {line}: byte {misfit:,} of the file is not {encoding.upper()}. {_ALLOWED}", kind="unknown-encoding")


def _damaged(where: str) -> InputError:
    return InputError(f"{where}: the .gz is damaged or was cut off. A whole file is needed. Pack or copy it again.", kind="damaged-file")
