"""What kind of workbook is in the box, and is the box safe to open: looked at before a parser sees it."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from triage.sandbox import RefusedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE = 512 << 20  # bytes, packed
MAX_ENTRIES = 2_000
MAX_UNPACKED = 1 << 30  # bytes
MAX_RATIO = 200  # only asked of boxes that unpack to more than SMALL; a short sheet of blanks packs as well as a bomb
SMALL = 100 << 20
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "the file is protected with a password (文件已加密). Open it, take the password away, and save it again."
DAMAGED = "the workbook is damaged or was cut off. Copy it again, or open it in Excel or WPS and save it as .xlsx."
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def check(path: Path) -> None:
    """Refuse what is no workbook, is protected, is damaged, or unpacks to more than a workbook of letters does. Raises RefusedFileError."""
    if path.stat().st_size > MAX_FILE:
        raise RefusedFileError(f"larger than {MAX_FILE >> 20} MiB. Split the workbook, or save as CSV UTF-8.", "archive-too-large")
    with path.open("rb") as file:
        magic = file.read(8)
    if magic == OLE:
        _check_ole(path)
    else:
        _check_zip(path)


def _check_ole(path: Path) -> None:
    """The names of the streams are in the directory, in UTF-16; a directory can lie anywhere in the file."""
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise RefusedFileError(ENCRYPTED, "encrypted-file")
    if "WordDocument".encode("utf-16-le") in content:
        raise RefusedFileError("a Word document. Copy the letters into a table with one row a letter, and save it as .xlsx.", "not-a-table")
    if not any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        raise RefusedFileError(DAMAGED, "damaged-file")


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as box:
            entries = box.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise RefusedFileError(DAMAGED, "damaged-file") from error
    if any(entry.flag_bits & 1 for entry in entries):
        raise RefusedFileError(ENCRYPTED, "encrypted-file")
    unpacked, packed = sum(entry.file_size for entry in entries), path.stat().st_size
    if len(entries) > MAX_ENTRIES or unpacked > MAX_UNPACKED or (unpacked > SMALL and unpacked > MAX_RATIO * packed):
        what = f"{len(entries):,} parts that unpack from {packed:,} to {unpacked:,} bytes"
        raise RefusedFileError(
            f"{what}; {MAX_ENTRIES:,} parts and {MAX_UNPACKED:,} bytes, {MAX_RATIO} to 1, are allowed. Save as CSV UTF-8.", "archive-too-large"
        )
    _check_kind({entry.filename for entry in entries})


def _check_kind(names: set[str]) -> None:
    if names & {"xl/workbook.xml", "xl/workbook.bin", "content.xml"}:
        return
    if "word/document.xml" in names:
        raise RefusedFileError("a Word document. Copy the letters into a table with one row a letter, and save it as .xlsx.", "not-a-table")
    raise RefusedFileError(f"an archive of {len(names)} files. One table is allowed. Unpack it and name the file inside.", "not-a-table")


def error_cells(path: Path, sheet: str) -> dict[int, list[str]]:
    """Row -> cells such as ``C7`` that hold an error (#REF!, #DIV/0! ...); calamine hands them out as blanks. Only .xlsx and .xlsm say so."""
    found: dict[int, list[str]] = {}
    if not zipfile.is_zipfile(path):
        return found
    with zipfile.ZipFile(path) as box:
        part = _part_of(box, sheet)
        for cell in _error_tags(box, part) if part else ():
            if place := re.search(rb"""\sr=["']([A-Z]{1,3}([0-9]{1,7}))["']""", cell):
                found.setdefault(int(place[2]), []).append(place[1].decode())
    return found


def _part_of(box: zipfile.ZipFile, sheet: str) -> str:
    """The file inside the box that holds a sheet, "" when the box is none of Excel's or says it otherwise."""
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= set(box.namelist()):
        return ""
    book, links = (ET.fromstring(box.read(name)) for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"))  # noqa: S314 (in a process with limits)
    wanted = next((node.get(_RELATION) for node in book.iter() if node.tag.endswith("}sheet") and node.get("name") == sheet), None)
    target = next((node.get("Target", "") for node in links if node.get("Id") == wanted), "")
    part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return part if part in box.namelist() else ""


def _error_tags(box: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    rest = b""
    with box.open(part) as file:
        while chunk := file.read(1 << 20):
            text = rest + chunk
            yield from re.findall(rb"""<(?:\w+:)?c\s(?=[^<>]*\st=["']e["'])[^<>]*>""", text) if b"e" in text else ()
            rest = text[text.rfind(b"<") :] if b"<" in text else b""
