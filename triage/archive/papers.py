"""One letter, one file -> its title and text, in a process of its own (see ``triage.sandbox``): what a file is, its content says, then its name.

Parsers of PDF, Word and web pages meet files from anywhere; they work here, under limits on memory and time, and nothing is fetched
from outside. A letter that cannot be read is a message with the reason, and the next one is read.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage import containers, decoding, sandbox
from triage.archive import mails, texts
from triage.errors import InputError
from triage.sandbox import RefusedFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Paper = tuple[str, str, str]

MAX_FILE = 64 << 20  # bytes of one letter; pictures in it count
MAX_TEXT = 1 << 24  # characters, as in a cell of a table
MAX_UNPACKED = 256 << 20  # bytes of a Word document's parts
MAX_PAGES = 200
NO_TEXT = "empty-file", "holds no text. Delete it, or write the letter's text into it."
_SCAN = "ocr-not-installed"
_PICTURE = _SCAN, "a picture, and there is no text recognition (OCR). Copy the text into a .txt file."
_SIGNATURES = (
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"II*\0", _PICTURE),
    (b"MM\0*", _PICTURE),
    (b"{\\rtf", ("unknown-format", "a rich text file (RTF). Save it as .docx.")),
    (b"\x1f\x8b", ("unknown-format", "a packed file (.gz). Unpack it.")),
    (b"BZh", ("unknown-format", "a packed file (.bz2). Unpack it.")),
    (b"\xfd7zXZ\0", ("unknown-format", "a packed file (.xz). Unpack it.")),
    (b"Rar!", ("unknown-format", "a .rar archive. Unpack it.")),
    (b"7z\xbc\xaf", ("unknown-format", "a .7z archive. Unpack it.")),
    (b"PAR1", ("unknown-format", "a table. Name it as an input of its own.")),
)
_BY_NAME = {
    **dict.fromkeys((".csv", ".tsv", ".json", ".jsonl"), ("unknown-format", "a table. Name it as an input of its own.")),
    **dict.fromkeys((".pdf", ".docx", ".zip"), ("damaged-file", "its name says {0}, its content does not. Save it again.")),
}
_TEXTS = {"", ".txt", ".text", ".md"}
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html|head|body|meta|table|div|style)\b", re.IGNORECASE)
_MAIL = re.compile(rb"(?:\xef\xbb\xbf)?(?:[A-Za-z][\w-]*:.*\r?\n(?:[ \t].*\r?\n)*)*?(?:MIME-Version|Message-ID|Received):", re.IGNORECASE)
_HAN = "\u3400-\u9fff\uf900-\ufaff，、；"


def read(seconds: str, *paths: str) -> Iterator[list[str]]:
    """``[title, text, remark, problem]`` of each letter, in order; each is given ``seconds``, waiting for the receiver not counted."""
    for path in paths:
        sandbox.give(float(seconds))
        paper = _judged(Path(path))
        sandbox.give(0)
        yield paper


def _judged(path: Path) -> list[str]:
    try:
        return [*_checked(*_read(path)), ""]
    except (RefusedFileError, InputError) as refusal:
        return ["", "", "", f"{refusal.kind}: {refusal}"]
    except OSError as error:
        return ["", "", "", f"file-not-read: {error.strerror or 'it cannot be opened'}. Check the file."]
    except ImportError as error:
        return ["", "", "", f"not-installed: {error.name} is needed. Run pip install 'letter-triage[documents]'."]


def _checked(title: str, text: str, remark: str) -> Paper:
    title, text = title.replace("\0", "").strip(), text.replace("\0", "").strip()
    if len(text) > MAX_TEXT:
        raise RefusedFileError(f"{len(text):,} characters; {MAX_TEXT:,} are allowed. Split it.", "too-large")
    if not text and not title:
        raise RefusedFileError(NO_TEXT[1], NO_TEXT[0])
    return title, text, remark


def _read(path: Path) -> Paper:
    size = path.stat().st_size
    if size > MAX_FILE:
        raise RefusedFileError(f"{size:,} bytes; {MAX_FILE:,} are allowed. Make its pictures smaller, or save its text alone.", "too-large")
    with path.open("rb") as file:
        start = file.read(decoding.HEAD)
    if not start.strip(b"\0"):
        raise RefusedFileError(NO_TEXT[1], NO_TEXT[0])
    for signature, (kind, what) in _SIGNATURES:
        if start.startswith(signature):
            raise RefusedFileError(what, kind)
    return _reader(path, start)(path)


def _reader(path: Path, start: bytes) -> Callable[[Path], Paper]:
    suffix = path.suffix.lower()
    if b"%PDF-" in start[:1024]:
        return _pdf
    if start.startswith((containers.ZIP, containers.OLE)):
        return _docx
    if suffix in {".eml", ".mht", ".mhtml"} or _MAIL.match(start):
        return mails.read_mail
    if suffix in {".html", ".htm", ".xhtml"} or _MARKUP.match(start):
        return mails.read_page
    if suffix in _TEXTS:
        return _text
    kind, what = _BY_NAME.get(
        suffix, ("unknown-format", "its format is not known. .txt, .md, .docx, .html, .eml, .pdf and .zip are read. Save it as one of them.")
    )
    raise RefusedFileError(what.format(suffix), kind)


def _text(path: Path) -> Paper:
    return "", texts.text_of(path), ""


def _docx(path: Path) -> Paper:
    """The text of the body with its tables and text boxes; headers, footers, notes and what was deleted under revision are left out."""
    _check_box(path)
    from lxml import etree

    try:
        body = _main_part(path)
        lines = "".join(_words(body))
    except (etree.LxmlError, zipfile.BadZipFile, zlib.error, OSError, KeyError, StopIteration, NotImplementedError) as error:
        raise RefusedFileError("the Word document is damaged or was cut off. Open it in Word or WPS and save it again.", "damaged-file") from error
    if not lines.strip() and next(body.iter("{*}blip", "{*}imagedata"), None) is not None:
        raise RefusedFileError("a Word document of pictures without text, and there is no text recognition (OCR). Type the text into it.", _SCAN)
    return "", re.sub(r"\n{3,}", "\n\n", lines), ""


def _main_part(path: Path) -> Any:
    """The document without its styles, pictures and settings, of which a letter's text needs none; no address in it is asked, no entity replaced."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    with zipfile.ZipFile(path) as box:
        links = etree.fromstring(box.read("_rels/.rels"), parser)
        target = next(link.get("Target", "") for link in links if link.get("Type", "").endswith("/officeDocument"))
        return etree.fromstring(box.read(target.lstrip("/")), parser)


def _check_box(path: Path) -> None:
    """Refuse what is no Word document, is protected, or unpacks to more than a letter does, before a parser sees it."""
    with path.open("rb") as file:
        is_old = file.read(8) == containers.OLE
    if is_old and "EncryptedPackage".encode("utf-16-le") in path.read_bytes():
        raise RefusedFileError(containers.ENCRYPTED, "encrypted-file")
    if is_old:
        raise RefusedFileError("an old Word, WPS or Outlook file (.doc, .wps, .msg). Save it as .docx or .eml.", "unknown-format")
    try:
        with zipfile.ZipFile(path) as box:
            parts = box.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise RefusedFileError("the Word document is damaged or was cut off. Open it in Word or WPS and save it again.", "damaged-file") from error
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > containers.MAX_ENTRIES or unpacked > MAX_UNPACKED:
        what = f"{len(parts):,} parts of {unpacked:,} bytes; {containers.MAX_ENTRIES:,} and {MAX_UNPACKED:,} are allowed"
        raise RefusedFileError(f"{what}. Save its text alone.", "too-large")
    if not any(part.filename.startswith("word/") for part in parts):
        raise RefusedFileError("a box of another kind than .docx (a workbook, or a .zip in a .zip). Name a table as an input of its own.", "unknown-format")


def _words(body: Any) -> Iterator[str]:
    from lxml import etree

    shown = {"p": "\n", "br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "-"}
    walk = etree.iterwalk(body, events=("start",))
    for _, element in walk:
        name = etree.QName(element).localname if isinstance(element.tag, str) else ""
        if name in {"pPr", "rPr", "tblPr", "sectPr", "del", "moveFrom", "Fallback"}:
            walk.skip_subtree()
        elif name == "t":
            yield element.text or ""
        else:
            yield shown.get(name, "")


def _pdf(path: Path) -> Paper:
    import pypdfium2
    from pypdfium2 import raw

    try:
        with pypdfium2.PdfDocument(path) as document:
            if len(document) > MAX_PAGES:
                raise RefusedFileError(f"{len(document):,} pages; {MAX_PAGES} are allowed. Save the letter's pages alone.", "too-large")
            pages = [_page_text(page) for page in document]
    except pypdfium2.PdfiumError as error:
        if error.err_code in {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}:
            raise RefusedFileError(containers.ENCRYPTED, "encrypted-file") from error
        raise RefusedFileError("the PDF is damaged or was cut off. Copy it again.", "damaged-file") from error
    blank = [str(number) for number, page in enumerate(pages, 1) if not page.strip()]
    if len(blank) == len(pages):
        raise RefusedFileError(f"{len(pages)} pages without text, probably scanned, and there is no text recognition (OCR). Type the text into a .txt.", _SCAN)
    return "", "\n".join(pages), f"第 {'、'.join(blank)} 页没有文字" if blank else ""


def _page_text(page: Any) -> str:
    """Lines of a page break anywhere; where both sides are Chinese they are joined, for a word may stand across the break."""
    words = page.get_textpage().get_text_bounded()
    lines = re.sub("[\ufffe\x02]", "", words).replace("\r\n", "\n")
    return re.sub(f"(?<=[{_HAN}])\n(?=[{_HAN}])", "", lines)


if __name__ == "__main__":
    sandbox.serve(read)
