"""Bytes of a text file -> text: which encoding it is, checked over the whole file before the first row is handed out.

The order is fixed: byte order mark, then UTF-8, then GB18030 (which contains GBK and GB2312), each strict, else refusal. It cannot be
turned round: 37 % of short Chinese UTF-8 texts also decode as GB18030, without error and into nonsense; the other way 0.05 %.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from contextlib import closing
from typing import IO, TYPE_CHECKING, TextIO, cast

from triage.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNK = 1 << 20
HEAD = 1 << 16
MAX_LINE = 1 << 26  # characters; a line is held in memory
XZ_MEMORY = 256 << 20  # bytes that unpacking may take; `xz -9` asks for 65 MiB, a hostile file for 4 GiB
MAX_DAMAGE = 0.1  # of the characters in the first 64 KiB; above it the file is in another encoding, or no text
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMMON = "的一是在不了有和人大中上到地生子年得着就那要下以可也你道里去心"  # frequent, and the same in both scripts
_ALLOWED = "UTF-8, GB18030 (GBK) and UTF-16 with a byte order mark are recognised. Save as CSV UTF-8, or name the encoding."


class MisfitError(InputError):
    """A byte of the file cannot be read in its encoding; ``offset`` says which."""

    kind = "unknown-encoding"

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when it is a .gz, .bz2, .xz or a .zip of one file, whatever its name says."""
    unpack = _packing(path)
    return unpack(path) if unpack else path.open("rb")


def is_packed(path: Path) -> bool:
    """Whether ``open_bytes`` unpacks the file."""
    return _packing(path) is not None


def open_text(path: Path, encoding: str, *, lenient: bool = False) -> TextIO:
    """The file's text; line ends stay as they are written. ``lenient``: bytes that cannot be read become lone surrogates."""
    return io.TextIOWrapper(open_bytes(path), encoding, "surrogateescape" if lenient else "strict", newline="")


def head(path: Path, where: str) -> bytes:
    """The first 64 KiB, unpacked. Raises InputError for a damaged .gz, .bz2, .xz or .zip."""
    try:
        with open_bytes(path) as file:
            return file.read(HEAD)
    except DAMAGED as error:
        raise _damaged(where) from error


def lines(path: Path, encoding: str, where: str, *, lenient: bool = False) -> Iterator[str]:
    r"""Lines with their ends (``\n``, ``\r\n`` or ``\r``), NUL removed. Raises InputError for a line over ``MAX_LINE``; ``lenient`` cuts it off there."""
    with open_text(path, encoding, lenient=lenient) as text:
        number = 0
        while line := text.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE and lenient:
                _skip_line(text)
            elif len(line) == MAX_LINE:
                raise InputError(f"{where} line {number}: longer than {MAX_LINE:,} characters. Split the line.", kind="line-too-long")
            yield line.replace("\0", "") if "\0" in line else line


def _skip_line(text: TextIO) -> None:
    while (rest := text.readline(CHUNK)) and not rest.endswith(("\n", "\r")):
        pass


def recognise(path: Path, where: str, given: str = "", *, lenient: bool = False) -> tuple[str, tuple[str, ...]]:
    """The name of the encoding that reads the whole file, and what a person should know about it.

    ``given`` wins over what the file says of itself. Raises InputError (``unknown-encoding``) with the offset of the first byte that
    does not fit; ``lenient`` allows some damage, up to ``MAX_DAMAGE``.
    """
    try:
        encoding, damage = _with_damage(path, where, given) if lenient else (_strict(path, where, given), "")
        nuls = _count(path, b"\0") if not encoding.startswith(("utf-16", "utf-32")) else 0
    except DAMAGED as error:
        raise _damaged(where) from error
    notes = [] if encoding.startswith("utf-8") else [f"read as {encoding.upper()}"]
    return encoding, tuple(notes + [damage] * bool(damage) + ([f"{nuls:,} NUL characters removed"] if nuls else []))


def _packing(path: Path) -> Callable[[Path], IO[bytes]] | None:
    with path.open("rb") as file:
        start = file.read(8)
    return next((unpack for magic, unpack in _PACKINGS if start.startswith(magic) and (unpack is not _open_zip or only_member(path))), None)


def _open_gzip(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path))


def _open_bz2(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", _Bz2File(path))


def _open_xz(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        lzma.LZMADecompressor(memlimit=XZ_MEMORY).decompress(file.read(HEAD), max_length=1)
    return cast("IO[bytes]", lzma.open(path))


def _open_zip(path: Path) -> IO[bytes]:
    """The box's one file; the bytes stay open when the box is closed."""
    member = only_member(path)
    assert member is not None
    try:
        with zipfile.ZipFile(path) as box:
            return box.open(member)
    except OSError as error:  # the place of the file in the box is wrong
        raise zipfile.BadZipFile("no such place") from error


def only_member(path: Path) -> zipfile.ZipInfo | None:
    """The one file of a .zip, None when there are several, or when it is none that this program unpacks: a workbook is a .zip of many parts."""
    try:
        with zipfile.ZipFile(path) as box:
            members = [member for member in box.infolist() if not member.is_dir() and not member.filename.startswith("__MACOSX/")]
    except (zipfile.BadZipFile, ValueError):
        return None
    if len(members) != 1 or members[0].filename.startswith(("xl/", "word/", "content.xml")):
        return None
    return members[0] if not members[0].flag_bits & 1 and members[0].compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} else None


class _Bz2File(bz2.BZ2File):
    """A damaged .bz2 breaks off with the same kind of error as the others, not with that of a broken disk."""

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(-1 if size is None else size)
        except OSError as error:
            if error.errno is not None:
                raise
            raise zlib.error("not a whole .bz2") from error


def _strict(path: Path, where: str, given: str) -> str:
    return _fits(path, where, given) if given else _recognise(path, where)


def _with_damage(path: Path, where: str, given: str) -> tuple[str, str]:
    """The encoding, and which damage was found."""
    try:
        return _strict(path, where, given), ""
    except MisfitError as misfit:
        encoding = _least_damaged(path, where, given)
        if not encoding:
            raise
        return encoding, f"damaged: byte {misfit.offset:,} and perhaps others are not {encoding.upper()}; their rows are refused"


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


def _least_damaged(path: Path, where: str, given: str) -> str:
    """The encoding under which the fewest characters at the start of the file are damaged, "" when too many are."""
    start = head(path, where)
    damage = {}
    for encoding in [given] if given else ["utf-8", "gb18030"]:
        text = "" if encoding.startswith(("utf-16", "utf-32")) else start.decode(encoding, "surrogateescape")
        damage[encoding] = sum("\ud800" <= character <= "\udfff" for character in text) / len(text) if text else 1.0
    best = min(damage, key=lambda encoding: damage[encoding])
    return best if damage[best] <= MAX_DAMAGE else ""


def _count(path: Path, sought: bytes, stop: int | None = None) -> int:
    found, left = 0, stop
    with open_bytes(path) as file:
        while chunk := file.read(CHUNK if left is None else min(CHUNK, left)):
            found += chunk.count(sought)
            left = None if left is None else left - len(chunk)
    return found


def _refused(path: Path, where: str, misfit: int, encoding: str) -> MisfitError:
    line = _count(path, b"\n", misfit) + 1
    return MisfitError(f"{where} line {line}: byte {misfit:,} of the file is not {encoding.upper()}. {_ALLOWED}", misfit)


def _damaged(where: str) -> InputError:
    return InputError(
        f"{where}: the packed file (.gz, .bz2, .xz or .zip) is damaged or was cut off. A whole file is needed. Pack or copy it again.", kind="damaged-file"
    )


DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile)
_PACKINGS: tuple[tuple[bytes, Callable[[Path], IO[bytes]]], ...] = (
    (b"\x1f\x8b", _open_gzip),
    (b"BZh", _open_bz2),
    (b"\xfd7zXZ\0", _open_xz),
    (b"PK\x03\x04", _open_zip),
)
