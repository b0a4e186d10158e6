"""Text in, text out: what a letter looks like to the segmenter. One rule a function; ``RULES`` lists them in order.

Every rule asks first, cheaply, whether it has anything to do. The rules run until nothing changes any more, so that
normalising twice is the same as once. The original text is never replaced by the normalised one in anything that is kept.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from triage import privacy, traditional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from triage.characters import Joined

HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
MAX_ROUNDS = 8  # real letters need two; a text built to be unwrapped for ever loses its wrappers after these

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_STACKED_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")
_EXCEL_ESCAPE = re.compile(r"_x00(?:0[0-9A-Fa-f]|1[0-9A-Fa-f]|7[Ff])_")
_AMPERSAND = re.compile(r"&(?:amp;|#0*38;|#[xX]0*26;)+")
_HIDDEN_ELEMENT = re.compile(r"<(script|style)\b[^<>]{0,500}>.{0,20000}?</\1\s*>|<!--.{0,20000}?-->", re.IGNORECASE | re.DOTALL)
_BLOCK_TAG = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|table|tbody|h[1-6])(?:\s[^<>]{0,500})?/?>", re.IGNORECASE)
_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|body|center|code|em|font|form|head|html|i|iframe|img|input|label|link|meta|o:p|pre|s|small|span|strong|sub|sup|svg|td|th|title|u)(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_URL = re.compile(r"(?:https?|ftp)://[!-;=?-~]{1,2000}|(?<![A-Za-z0-9@.])www\.[!-;=?-~]{1,2000}", re.IGNORECASE)
_PINYIN_SYLLABLE = r"[A-Za-zü]{0,5}(?:[āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜńňǹḿ][A-Za-zü]{0,4}|[A-Za-zü][1-5])"
_PINYIN_NOTE = re.compile(rf"(?<=[{HAN}])[(\[] ?{_PINYIN_SYLLABLE}(?:[ '·-]?{_PINYIN_SYLLABLE}){{0,5}} ?[)\]]")
_ENCODED_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{120,}")
_GARBLED = "鎷嗚縼琛ュ伩鍦熷湴闂棰樺弽鏄犳垜浠鍚岄瀵煎ソ璇锋眰涓鐨勬槸鏈夊湪涔熷氨閮藉緢姘戞潙鏀垮簻宸ヨ祫灏忓尯鐗╀笟"
_MOJIBAKE = re.compile(f"[{_GARBLED}]{{4}}")


def lone_surrogates_and_controls(text: str) -> str:
    r"""Drop what no reader sees: C0/C1 controls, NUL, zero-width and bidi marks, variation selectors, lone surrogates.

    >>> lone_surrogates_and_controls("拆\u200b迁\x00补\u202e偿\n第二行")
    '拆迁补偿\n第二行'
    """
    if _INVISIBLE.search(text) is None:
        return text
    return _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n"))


def narrow_forms(text: str) -> str:
    """Full-width forms, of which letters are full: what NFKC makes of them, twenty times as fast.

    >>> narrow_forms("１２３，　…")
    '123, ...'
    """
    from triage.characters import codes_of, narrowed, text_of

    return text_of(narrowed(codes_of(text))).replace("…", "...")


def compatibility_forms(text: str) -> str:
    """NFKC (Unicode Annex 15): full-width letters, digits and punctuation, circled numbers, compatibility radicals.

    >>> compatibility_forms("１２３，㎡　⼀①")
    '123,m2 一1'
    """
    return unicodedata.normalize("NFKC", text)  # which asks first whether there is anything to do


def stacked_marks(text: str) -> str:
    r"""Drop combining marks that NFKC could not join to a letter (zalgo).

    >>> stacked_marks("求" + "\u0301" * 500 + "助")
    '求助'
    """
    return _STACKED_MARKS.sub("", text)


def mojibake(text: str) -> str:
    """Undo UTF-8 read as GB18030, when the way back is clean.

    >>> mojibake("鎷嗚縼琛ュ伩")
    '拆迁补偿'
    """
    if _MOJIBAKE.search(text) is None:
        return text
    try:
        return text.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return text


def excel_escapes(text: str) -> str:
    """Drop the escapes that Excel leaves for control characters.

    >>> excel_escapes("第一行_x000D_")
    '第一行 '
    """
    return _EXCEL_ESCAPE.sub(" ", text) if "_x00" in text else text


def entities(text: str) -> str:
    r"""HTML entities of web forms.

    >>> entities("甲&nbsp;乙&amp;amp;lt;丙")
    '甲\xa0乙<丙'
    """
    return html.unescape(_AMPERSAND.sub("&", text)) if "&" in text else text


def tags(text: str) -> str:
    r"""HTML tags and scripts of web forms; a lone ``<`` or ``《`` is text.

    >>> tags("<p>一</p>二<b>三</b><script>x()</script>, 3<5, <<条例>>")
    '\n一\n二三, 3<5, <<条例>>'
    """
    if "<" not in text:
        return text
    text = _HIDDEN_ELEMENT.sub("", text) if "</" in text or "-->" in text else text
    return _INLINE_TAG.sub("", _BLOCK_TAG.sub("\n", text))


def simplified(text: str) -> str:
    """Traditional characters to simplified ones (OpenCC t2s), asked first whether there are any.

    >>> simplified("聯席會議"), simplified("乾坤")
    ('联席会议', '乾坤')
    """
    return text if text.isascii() or traditional.characters().isdisjoint(text) else str(traditional.converter().convert(text))


def pinyin_notes(text: str) -> str:
    """Readings that scrapers put behind characters.

    >>> pinyin_notes("联(lián)席会议 GB/T (2020)12号 3(1)班 重庆(Chongqing)")
    '联席会议 GB/T (2020)12号 3(1)班 重庆(Chongqing)'
    """
    return _PINYIN_NOTE.sub("", text) if "(" in text or "[" in text else text


def plain(text: str) -> str:
    r"""Narrow forms; one blank for a run of blanks, one line end for a run of line ends, none at the edges; a run of one mark counts once.

    >>> plain(" 还钱！！！ \t ...... \n\n 12.50元 ")
    '还钱! .\n12.50元'
    """
    from triage.characters import text_of

    return text_of(_plain([text])[0])


def addresses(text: str) -> str:
    """Web addresses become a blank: they end where the first character outside ASCII stands.

    >>> addresses("见https://example.com/a?b=1谢谢")
    '见 谢谢'
    """
    return _URL.sub(" ", text) if "://" in text or "www." in text.lower() else text


def encoded_blobs(text: str) -> str:
    """Runs of 120 and more letters or digits (base64, keyboard mash) become a blank; no word is that long.

    >>> encoded_blobs("附件" + "QUJD" * 300 + "完")
    '附件 完'
    """
    return _ENCODED_BLOB.sub(" ", text)


def personal_numbers(text: str) -> str:
    """Identity, phone and card numbers become ``*`` so that none is ever a feature.

    >>> personal_numbers("电话13800000000")
    '电话*'
    """
    return privacy.mask(text)


def spaced_out(text: str) -> str:
    """Characters set apart by blanks for emphasis, or to slip past a filter, stand together again.

    >>> spaced_out("举报 城 管 局 的人")
    '举报 城管局 的人'
    """
    from triage.characters import codes_of, text_of
    from triage.plain import together

    return text_of(together(codes_of(text)))


# In order, each with the signs (``triage.signs``) of which one is there when it has anything to do.
RULES: dict[Callable[[str], str], str] = {
    lone_surrogates_and_controls: "ROUGH UNUSUAL",
    narrow_forms: "ROUGH",
    compatibility_forms: "ROUGH UNUSUAL",
    stacked_marks: "UNUSUAL",
    mojibake: "GARBLED",
    excel_escapes: "MARKUP",
    entities: "MARKUP",
    tags: "MARKUP",
    simplified: "TRADITIONAL",
    pinyin_notes: "NOTES UNUSUAL",
    plain: "ROUGH",
    addresses: "ADDRESS UNUSUAL",
    encoded_blobs: "BLOB",
    personal_numbers: "NUMBERS UNUSUAL",
    spaced_out: "SPACED UNUSUAL",
}


def normalise(text: str) -> str:
    r"""``text`` as the segmenter reads it; linear in its length, and the same when it is applied again.

    >>> normalise("尊敬的領導：\u3000拖欠工資！！！電話１３８００００００００")
    '尊敬的领导: 拖欠工资!电话*'
    """
    from triage.characters import text_of

    return text_of(normalised([text])[0])


def normalised(texts: Sequence[str]) -> Joined:
    """A batch of texts, each by itself: the codes of all in a row and where each begins (``triage.characters.joined``).

    ``plain`` is all that most letters need, and does a whole batch at once; one in which it leaves a sign of more work takes the rules one by one.
    """
    from triage.characters import codes_of, in_a_row, spliced
    from triage.signs import ROUGH, WRITTEN

    codes, bounds, left = _plain(texts)
    mended: dict[int, NDArray[np.uint32]] = {}
    for row, seen in enumerate(left.tolist()):
        if seen & WRITTEN:
            mended[row] = codes_of(_ruled(texts[row], seen))
        elif seen & ~ROUGH:
            mended[row] = _mended(codes[bounds[row] : bounds[row + 1]], seen & ~ROUGH)
    return spliced(codes, bounds, np.array(list(mended)), *in_a_row(list(mended.values()))) if mended else (codes, bounds)


def _mended(codes: NDArray[np.uint32], seen: int) -> NDArray[np.uint32]:
    """A plain text by its rules. Most with characters set apart need nothing else, and web forms set them apart in a fifth of all letters."""
    from triage import characters, plain, signs

    if seen == signs.SPACED:
        codes = plain.together(codes)
        seen = int(signs.signs(codes, _table()))
    return characters.codes_of(_ruled(characters.text_of(codes), seen)) if seen else codes


def _ruled(text: str, seen: int) -> str:
    """The rules in turn, again and again, until every one of them leaves the text as it is."""
    asks, changed = _asks(), -1
    for turn, rule in enumerate(cycle(RULES)):
        if turn - changed > len(RULES):
            break
        if turn == MAX_ROUNDS * len(RULES):
            text = re.sub(r"[&<>()\[\]_]", " ", text)
            seen, changed = signs_of(text), turn
        if seen & asks[rule] and (ruled := rule(text)) != text:
            text, seen, changed = ruled, signs_of(ruled), turn
    return text


def signs_of(text: str) -> int:
    """Bits that say which rules may have anything to do: see ``triage.signs``."""
    return int(_plain([text])[2][0])


def _plain(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.uint16]]:
    from triage import characters, plain

    return plain.plain(*characters.joined(texts), plain.kinds(), _table())


@cache
def _table() -> NDArray[np.uint16]:
    from triage import signs

    return signs.table(_GARBLED, traditional.characters())


@cache
def _asks() -> dict[Callable[[str], str], int]:
    """For each rule the bits of its signs."""
    from triage import signs

    return {rule: sum(getattr(signs, name) for name in names.split()) for rule, names in RULES.items()}
