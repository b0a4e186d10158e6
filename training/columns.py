"""Which column of a labelled file is which: those of every table of letters (see ``triage.columns``), and those of the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.columns import ID, TEXT, TITLE, only_one, present
from triage.columns import NAMES as OF_LETTERS
from triage.errors import InputError
from triage.tables import find_column, listed

if TYPE_CHECKING:
    from triage.tables import Table

LABEL, PURPOSE, SECOND, WRITER, WEIGHT, REVIEWED = "label", "purpose", "second", "writer", "weight", "reviewed"
NAMES = {
    **OF_LETTERS,
    LABEL: ("一级标签", "一级分类", "一级类别", "类别", "分类", "标签", "类别名称", "信件类别", "category", "label", "class"),
    PURPOSE: ("诉求目的", "信访目的", "目的", "purpose"),
    SECOND: ("第二类别", "次要类别", "second"),
    WRITER: ("留言用户", "来信人", "写信人", "sender", "writer"),
    WEIGHT: ("权重", "weight"),
    REVIEWED: ("已复核", "是否复核", "复核", "reviewed"),
}
SECOND_LEVEL = ("二级标签", "二级分类", "二级类别")  # taken only where no first level is there, or when named


def find_columns(table: Table, *, text: str = "", label: str = "") -> tuple[dict[str, int], list[str]]:
    """Role -> index of its column, and what a person should know of the choice.

    Raises InputError when the text or the label has no column, or more than one could be meant, with what to type.
    """
    found = {TEXT: only_one(table, TEXT, NAMES[TEXT], text)}
    levels = present(table, LABEL, SECOND_LEVEL)
    first = label or present(table, LABEL, NAMES[LABEL])
    found[LABEL] = only_one(table, LABEL, NAMES[LABEL] if first else SECOND_LEVEL, label)
    if found[TEXT] == found[LABEL]:
        raise InputError(
            f'{table.where}: "{text or label}" cannot be both text and label. {listed(table.columns)} Name two of them with --text and --label.',
            kind="ambiguous-column",
        )
    notes = [_passed_over(table, found[LABEL], levels[0])] if levels and found[LABEL] not in levels and not label else []
    for role in (TITLE, PURPOSE, SECOND, ID, WRITER, WEIGHT, REVIEWED):
        index = find_column(table.columns, NAMES[role], where=table.where, meaning=role)
        if index is not None and index not in found.values():
            found[role] = index
    return found, notes


def _passed_over(table: Table, taken: int, left: int) -> str:
    columns = table.columns
    return f'"{columns[taken]}" is taken for the label; --label "{columns[left]}" takes the second level'
