"""Which column of a labelled file is which: found by its name, Chinese or English, or as it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.errors import InputError
from triage.tables import find_column, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.tables import Table

TEXT, LABEL, TITLE, PURPOSE, SECOND, ID, WRITER, WEIGHT, REVIEWED = "text", "label", "title", "purpose", "second", "id", "writer", "weight", "reviewed"
NAMES: dict[str, tuple[str, ...]] = {
    TEXT: ("留言详情", "正文", "信件内容", "内容", "诉求内容", "来信内容", "留言内容", "信件正文", "text", "body", "content", "letter"),
    LABEL: ("一级标签", "一级分类", "一级类别", "类别", "分类", "标签", "类别名称", "信件类别", "category", "label", "class"),
    TITLE: ("留言主题", "标题", "主题", "信件标题", "title", "subject"),
    PURPOSE: ("诉求目的", "信访目的", "目的", "purpose"),
    SECOND: ("第二类别", "次要类别", "second"),
    ID: ("留言编号", "信件编号", "来信编号", "编号", "id"),
    WRITER: ("留言用户", "来信人", "写信人", "sender", "writer"),
    WEIGHT: ("权重", "weight"),
    REVIEWED: ("已复核", "是否复核", "复核", "reviewed"),
}
SECOND_LEVEL = ("二级标签", "二级分类", "二级类别")  # taken only where no first level is there, or when named
_OPTION = {TEXT: "--text", LABEL: "--label"}


def find_columns(table: Table, *, text: str = "", label: str = "") -> tuple[dict[str, int], list[str]]:
    """Role -> index of its column, and what a person should know of the choice.

    Raises InputError when the text or the label has no column, or more than one could be meant, with what to type.
    """
    found = {TEXT: _one(table, TEXT, NAMES[TEXT], text)}
    levels = _present(table, LABEL, SECOND_LEVEL)
    first = label or _present(table, LABEL, NAMES[LABEL])
    found[LABEL] = _one(table, LABEL, NAMES[LABEL] if first else SECOND_LEVEL, label)
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


def _one(table: Table, role: str, names: Sequence[str], given: str) -> int:
    if given:
        index = find_column(table.columns, (), given=given, where=table.where, meaning=role)
        fitting = [] if index is None else [index]
    else:
        fitting = _present(table, role, names)
    if len(fitting) == 1:
        return fitting[0]
    option = _OPTION[role]
    if not fitting:
        known = ", ".join(names[:4])
        raise InputError(
            f"{table.where}: no column is known to hold the {role}. {listed(table.columns)} "
            f"Columns such as {known} are found by name. Type {option} and the name of yours.",
            kind="missing-column",
        )
    candidates = ", ".join(f'"{table.columns[index]}"' for index in fitting)
    raise InputError(
        f'{table.where}: {len(fitting)} columns may hold the {role}: {candidates}. One is allowed. Type {option} "{table.columns[fitting[0]]}", or another of them.',
        kind="ambiguous-column",
    )


def _present(table: Table, role: str, names: Sequence[str]) -> list[int]:
    """The columns that bear one of the names, in the order of the names."""
    found = (find_column(table.columns, (name,), where=table.where, meaning=role) for name in names)
    return list(dict.fromkeys(index for index in found if index is not None))


def _passed_over(table: Table, taken: int, left: int) -> str:
    columns = table.columns
    return f'"{columns[taken]}" is taken for the label; --label "{columns[left]}" takes the second level'
