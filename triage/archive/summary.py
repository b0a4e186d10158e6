"""What came of a job: letters by domain and department, to review, refused; for people in Chinese, for programs as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = 12  # departments and domains in a terminal


@dataclass(slots=True)
class Totals:
    """The facts of the parts, added up in any order."""

    letters: int = 0
    review: int = 0
    refused: int = 0
    parts: int = 0
    domains: Counter[str] = field(default_factory=Counter)
    departments: Counter[str] = field(default_factory=Counter)
    ids: list[bytes] = field(default_factory=list)

    def add(self, facts: Mapping[str, Any]) -> None:
        """Count one more part."""
        self.letters += facts["letters"]
        self.review += facts["review"]
        self.refused += len(facts["refused"])
        self.parts += 1
        self.domains.update(facts["domains"])
        self.departments.update(facts["departments"])
        self.ids.append(bytes.fromhex(facts["ids"]))

    def as_dict(self) -> dict[str, Any]:
        """Most frequent first; what is equally frequent stands by name, so that the order of the parts does not show."""
        return {
            "letters": self.letters,
            "review": self.review,
            "refused": self.refused,
            "duplicate_ids": duplicates(b"".join(self.ids)),
            "domains": _ranked(self.domains),
            "departments": _ranked(self.departments),
        }


def duplicates(hashes: bytes) -> int:
    """How many of the hashes, of 8 bytes each, have stood before.

    >>> duplicates(b"12345678" * 3 + b"abcdefgh")
    2
    """
    numbers = np.frombuffer(hashes, np.uint64)
    return len(numbers) - len(np.unique(numbers))


def in_chinese(summary: Mapping[str, Any]) -> list[str]:
    """The summary as lines for a terminal.

    >>> in_chinese({"letters": 2, "review": 1, "refused": 0, "duplicate_ids": 0, "domains": {"住房": 2}, "departments": {"甲局": 2}, "letters_per_second": 9.0,
    ...     "output": "out.csv", "refused_file": None, "resumed": 0, "notes": []})[0]
    '来信 2 封,需复核 1 封(50.0%),拒收 0 行,每秒 9 封'
    """
    letters = summary["letters"]
    share = f"({summary['review'] / letters:.1%})" if letters else ""
    lines = [f"来信 {letters:,} 封,需复核 {summary['review']:,} 封{share},拒收 {summary['refused']:,} 行,每秒 {summary['letters_per_second']:,.0f} 封"]
    lines += [f"其中 {summary['resumed']:,} 封在上次运行中已完成"] if summary["resumed"] else []
    lines += [f"编号重复 {summary['duplicate_ids']:,} 封(全部保留)"] if summary["duplicate_ids"] else []
    for title, name in (("领域", "domains"), ("主办单位", "departments")):
        found = list(summary[name].items())
        rest = [f"其余 {len(found) - SHOWN} 个 {sum(count for _, count in found[SHOWN:]):,}"] if len(found) > SHOWN else []
        lines += [f"{title}:" + "、".join([f"{label} {count:,}" for label, count in found[:SHOWN]] + rest)] if found else []
    lines += list(summary["notes"])
    lines.append(f"结果:{summary['output']}")
    return [*lines, f"拒收的行:{summary['refused_file']}"] if summary["refused_file"] else lines


def _ranked(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
