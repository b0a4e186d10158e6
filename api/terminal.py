"""What a person sees in a terminal: the decision, the letter with the words that decided, and how far long work has come."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from triage.normalise import normalise
from triage.routing import DISPOSITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from triage.letter import Decision


def show(decision: Decision, text: str, *, why: bool, console: Console | None = None) -> None:
    """Print a decision; with ``why`` also the normalised letter, terms for the category in green and against it in red."""
    console = console or Console()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _rows(decision):
        table.add_row(Text(name, "bold"), Text(value))
    console.print(table)
    if why:
        console.print(_highlighted(normalise(text), decision))
        console.print(Text("  ".join(f"{term.term} {term.weight:+.2f}" for term in decision.why), "dim"))


def _rows(decision: Decision) -> list[tuple[str, str]]:
    category, purpose, lead = decision.category, decision.purpose, decision.lead
    return [
        ("类别", f"{category.name} {category.probability:.0%}({category.domain})" if category else "未分类"),
        ("其他可能", "、".join(f"{other.name} {other.probability:.0%}" for other in decision.candidates[1:]) or "—"),
        ("性质", f"{purpose.name} {purpose.probability:.0%}" if purpose else "—"),
        ("主办", lead.name if lead else "—"),
        ("协办", "、".join(unit.name for unit in decision.co_handlers) or "—"),
        ("办理方式", DISPOSITIONS[decision.disposition] if decision.disposition else "—"),
        ("需人工复核", "是" if decision.needs_review else "否"),
        *(("依据" if number == 0 else "", reason.says) for number, reason in enumerate(decision.reasons)),
        ("模型", decision.model or "—"),
    ]


def _highlighted(text: str, decision: Decision) -> Text:
    shown = Text(text)
    for term in sorted(decision.why, key=lambda term: abs(term.weight)):
        pattern = re.compile(r"[\W\d_]*".join(map(re.escape, term.term)), re.IGNORECASE)
        shown.highlight_regex(pattern, "bold green" if term.weight > 0 else "red")
    return shown


def tell(answer: Mapping[str, Any], console: Console | None = None) -> None:
    """Print an answer as names and values, one a line; what holds categories becomes a table of them."""
    console = console or Console()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in answer.items():
        for line, part in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(part, dict):
                table.add_row(Text(name if line == 0 else "", "bold"), Text(str(part)))
    console.print(table)
    if categories := answer.get("categories"):
        console.print(_categories(categories))


def _categories(found: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table("category", "letters", "precision", "recall", "f1", box=None, padding=(0, 2, 0, 0))
    for label, figures in found.items():
        table.add_row(label, *("—" if value is None else str(value) for value in figures.values()))
    return table


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error that appears with the first report and is silent in a pipe."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task(title, total=1.0)

    def told(step: str, done: float) -> None:
        bar.start()
        bar.update(task, completed=done, description=f"{title} ({step})")

    try:
        yield told
    finally:
        bar.stop()


@contextmanager
def letters(title: str) -> Iterator[Callable[[int, float], None]]:
    """A bar on standard error for letters decided and the share of the input read, with rate and time left; silent in a pipe.

    A share of 0 is one that nobody knows: the bar then only shows that it goes on.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]:,} 封  {task.fields[rate]:,.0f} 封/秒  剩余"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, count=0, rate=0.0)

        def told(count: int, share: float) -> None:
            rate = count / max(time.monotonic() - began, 1e-9)
            bar.update(task, total=1.0 if share else None, completed=share, count=count, rate=rate)

        yield told
