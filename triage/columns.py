"""Which column of a table is which: found by its name, Chinese or English, or as it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.errors import InputError
from triage.tables import find_column, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.tables import Table

TEXT, TITLE, ID = "text", "title", "id"
NAMES: dict[str, tuple[str, ...]] = {
    TEXT: ("留言详情", "正文", "信件内容", "内容", "诉求内容", "来信内容", "留言内容", "信件正文", "text", "body", "content", "letter"),
    TITLE: ("留言主题", "标题", "主题", "信件标题", "title", "subject"),
    ID: ("留言编号", "信件编号", "来信编号", "编号", "id"),
}


def letter_columns(table: Table, *, text: str = "", title: str = "", id: str = "") -> dict[str, int]:  # noqa: A002 (the field's word)
    """Role -> index of its column; ``text`` is always there. Raises InputError, with what to type, when a column is not there or two could be meant.

    >>> from pathlib import Path
    >>> from triage.tables import Table
    >>> letter_columns(Table(Path("a.csv"), "a.csv", ("编号", "内容", "标题"), iter(()), ()))
    {'text': 1, 'title': 2, 'id': 0}
    """
    found = {TEXT: only_one(table, TEXT, NAMES[TEXT], text)}
    for role, given in ((TITLE, title), (ID, id)):
        index = find_column(table.columns, NAMES[role], given=given, where=table.where, meaning=role)
        if index is not None and index not in found.values():
            found[role] = index
    return found


def only_one(table: Table, role: str, names: Sequence[str], given: str = "") -> int:
    """The column that a person named, else the only one that bears one of the names. Raises InputError that says which option to type."""
    if given:
        index = find_column(table.columns, (), given=given, where=table.where, meaning=role)
        fitting = [] if index is None else [index]
    else:
        fitting = present(table, role, names)
    if len(fitting) == 1:
        return fitting[0]
    option = f"--{role}"
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


def present(table: Table, role: str, names: Sequence[str]) -> list[int]:
    """The columns that bear one of the names, in the order of the names."""
    found = (find_column(table.columns, (name,), where=table.where, meaning=role) for name in names)
    return list(dict.fromkeys(index for index in found if index is not None))
