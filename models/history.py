"""Which version is live, and how that came about: ``history.jsonl``, one line a change, and the last line names the live version.

A change writes the file anew with one more line and puts it in place by one rename. So the live version and the order of the changes
are one and the same thing, and cannot disagree.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING, Any

from models.disk import replace
from models.errors import RefusedModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE = "history.jsonl"
PROMOTE, ROLLBACK = "promote", "rollback"


@dataclass(frozen=True, slots=True)
class Change:
    """``version`` went live in place of ``previous``; None: nothing was live. ``when`` is UTC; ``objections`` are those that were overruled."""

    action: str
    version: str
    previous: str | None
    when: str
    who: str = ""
    why: str = ""
    forced: bool = False
    objections: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, where ``previous`` is called ``from``.

        >>> Change("promote", "v2", "v1", "2026-11-22T08:15:30+00:00").as_dict()["from"]
        'v1'
        """
        return {"from" if name == "previous" else name: value for name, value in asdict(self).items()}


def read(folder: Path) -> list[Change]:
    """All changes, oldest first; none when there is no history. Raises RefusedModelError when a line is damaged or does not follow.

    >>> import pathlib
    >>> read(pathlib.Path("no such folder"))
    []
    """
    path = folder / FILE
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    if rest or not lines:
        raise _damaged(path, len(lines) + 1)
    changes: list[Change] = []
    lived: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            changes.append(_parsed(line))
            lived = _after(lived, changes[-1])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _damaged(path, number) from error
    return changes


def append(folder: Path, change: Change) -> None:
    """Write one more change: whole or not at all. Only while holding ``disk.locked(folder)``. Raises RefusedModelError when the change does not follow."""
    path = folder / FILE
    changes = [*read(folder), change]
    try:
        lineage(changes)
    except ValueError as error:
        raise _damaged(path, len(changes)) from error
    before = path.read_bytes() if len(changes) > 1 else b""
    replace(path, before + json.dumps(change.as_dict(), ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def lineage(changes: Sequence[Change]) -> list[str]:
    """The versions that roll back goes through, the live one last.

    >>> first = Change("promote", "v1", None, "")
    >>> lineage([first, Change("promote", "v2", "v1", ""), Change("promote", "v3", "v2", ""), Change("rollback", "v2", "v3", "")])
    ['v1', 'v2']
    """
    line: list[str] = []
    for change in changes:
        line = _after(line, change)
    return line


def _after(line: list[str], change: Change) -> list[str]:
    """The lineage after a change. Raises ValueError when the change does not follow from it."""
    before = [change.previous] if change.previous else []
    line = line or before  # the first line may follow a version that an earlier release made live
    after = [*line, change.version] if change.action == PROMOTE else line[:-1]
    if line[-1:] != before or after[-1:] != [change.version]:
        raise ValueError(change.version)
    return after


def _parsed(line: bytes) -> Change:
    entry = json.loads(line)
    change = Change(previous=entry.pop("from"), **entry | {"objections": tuple(entry["objections"])})
    texts = (change.action, change.version, change.when, change.who, change.why, *change.objections)
    if len(entry) + 1 != len(fields_of(Change)) or change.action not in {PROMOTE, ROLLBACK} or not change.version:
        raise ValueError(change.action)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(change.action)
    return change


def _damaged(path: Path, number: int) -> RefusedModelError:
    return RefusedModelError(
        f"{path} line {number}: is damaged or does not follow from the lines before it. Which model is live is never guessed. "
        f"Restore {path.name} from a backup, or move it away and run `triage models promote VERSION`."
    )
