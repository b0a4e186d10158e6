"""Can this letter be judged at all? If not, the reason why, and no guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.letter import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence


NO_MODEL = Reason("no_model", "没有可用的模型,未分类;请运行 triage init")
EMPTY = Reason("empty", "没有可读的文字,未分类")
TOO_SHORT = Reason("too_short", "文字太少,无法判断,未分类")
LANGUAGE = Reason("language", "不是中文来信,未分类")
UNREADABLE = Reason("unreadable", "文字无法辨认(乱码或没有认识的词),未分类")

MIN_HAN = 4  # "还我工资" can be judged, "你好" cannot
MIN_HAN_SHARE = 0.2  # of letters and digits; below it the letter is written in something else
MIN_KNOWN = 0.08  # share of pairs of characters met in training: random characters have none, short letters few


def why_not(written: str, signs: Sequence[int], known: float) -> Reason | None:
    """Why a letter cannot be judged, None when it can.

    >>> why_not(" ", (0, 0, 0), 0.0).rule
    'empty'
    >>> why_not("还我工资", (4, 4, 0), 1.0) is None
    True
    """
    readable, han, lost = signs
    if not readable:
        written_signs = sum(map(str.isalnum, written))
        return UNREADABLE if written_signs >= MIN_HAN else TOO_SHORT if written_signs else EMPTY
    if lost * 8 > han:
        return UNREADABLE
    if han < MIN_HAN and readable < 2 * MIN_HAN:
        return TOO_SHORT
    if han < MIN_HAN or han < MIN_HAN_SHARE * readable:
        return LANGUAGE
    return UNREADABLE if known < MIN_KNOWN else None
