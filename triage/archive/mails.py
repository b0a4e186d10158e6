"""Mail and web pages -> what a person sees of them: subject or title, and text. Runs in the process of ``papers``."""

from __future__ import annotations

import email
import re
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header
from typing import TYPE_CHECKING, Any

from triage.archive.texts import text_of
from triage.sandbox import RefusedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage, MIMEPart
    from pathlib import Path

_HIDDEN = {"head", "script", "style", "noscript", "template", "svg", "object", "iframe", "textarea", "select"}
_LINES = {"br", "p", "div", "li", "tr", "table", "ul", "ol", "dl", "dt", "dd", "blockquote", "pre", "section", "article", "header", "footer", "hr", "title"}
_LINES |= {f"h{level}" for level in range(1, 7)}
_NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CHINESE = {"gb2312", "gbk", "gb18030", "gb_2312-80", "x-gbk", "cp936", "csgb2312", "unknown-8bit", "us-ascii", "ascii", ""}


def read_page(path: Path) -> tuple[str, str, str]:
    """The title and the visible text of a web page."""
    return (*page_text(text_of(path)), "")


def page_text(markup: str) -> tuple[str, str]:
    r"""Title and visible text; scripts, styles, comments and what is hidden are left out, and a table's row is a line.

    >>> page_text("<title>来信</title><p>路灯<b>不亮</b><script>x()</script><p>请修")
    ('来信', '路灯不亮\n请修')
    """
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True)
    try:
        page = html.document_fromstring(markup.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:  # nothing but comments
        return "", ""
    except etree.LxmlError as error:  # also when memory runs out
        raise RefusedFileError("the web page is damaged, or too large. Save its text alone.", "damaged-file") from error
    return _tidy(page.findtext(".//title") or ""), _tidy("".join(_shown(page)))


def _shown(page: Any) -> Iterator[str]:
    from lxml import etree

    walk = etree.iterwalk(page, events=("start", "end"))
    for event, element in walk:
        name = element.tag
        if event == "start" and _is_hidden(element):
            walk.skip_subtree()
        elif event == "start":
            yield "\0" * (name in _LINES) + (element.text or "")
        else:
            yield ("\0" if name in _LINES else "\t" if name in {"td", "th"} else "") + (element.tail or "")


def _is_hidden(element: Any) -> bool:
    tag, marks = element.tag, element.attrib
    return tag in _HIDDEN or "hidden" in marks or bool(_NOT_SHOWN.search(marks.get("style", "")))


def _tidy(text: str) -> str:
    """Blanks as a browser shows them; NUL stands where an element begins a line."""
    lines = (re.sub(r"[ \t\r\n\f]+", " ", line).strip() for line in text.split("\0"))
    return "\n".join(filter(None, lines))


def read_mail(path: Path) -> tuple[str, str, str]:
    """The subject and the text of a mail, or its web page when it has no text; attachments are counted, not read."""
    with path.open("rb") as file:
        mail: EmailMessage = email.message_from_binary_file(file, policy=policy.default)
    body, text = None, ""
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        text = _part_text(body) if body is not None else ""
        if kind == "html":
            text = page_text(text)[1]
        if text.strip():
            break
    left = sum(part.get_content_disposition() == "attachment" or bool(part.get_filename()) for part in mail.walk())
    if not text.strip() and left:
        raise RefusedFileError(f"a mail without text and with {left} attachments, which are not read. Save the attachment as a letter.", "empty-file")
    return _subject(mail), text, f"附件 {left} 个,未读" if left else ""


def _part_text(part: MIMEPart) -> str:
    content = part.get_payload(decode=True)
    return _decoded(content, part.get_content_charset("")).replace("\r\n", "\n") if isinstance(content, bytes) else ""


def _subject(mail: EmailMessage) -> str:
    raw = next((value for name, value in mail.raw_items() if name.lower() == "subject"), "")
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", str(raw))
    try:
        words = decode_header(unfolded)
    except HeaderParseError:  # damaged: shown as it stands
        words = [(unfolded, None)]
    return " ".join("".join(_decoded(_bytes(word), charset or "") for word, charset in words).split())


def _bytes(word: str | bytes) -> bytes:
    return word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")


def _decoded(content: bytes, charset: str) -> str:
    """In the encoding that is declared; GB 2312 in a mail is mostly GBK, and what declares nothing is UTF-8 or GB18030."""
    named = charset.lower()
    for encoding in (
        ("utf-8", "gb18030") if named in {"", "us-ascii", "ascii", "unknown-8bit"} else ("gb18030",) if named in _CHINESE else (named, "utf-8", "gb18030")
    ):
        try:
            return content.decode(encoding)
        except (LookupError, UnicodeError):
            continue
    raise RefusedFileError("its text is not in the encoding that it declares. Save it again as .eml or .txt.", "unknown-encoding")
