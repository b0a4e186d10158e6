"""The report of a training run: one HTML file in Chinese to read, print and keep. It loads nothing, and no letter's words are in it.

``Report`` is all that the page knows; ``training.sentences`` sums it up, ``training.rows`` turns numbers into rows and charts, and
``report.html`` with ``static/`` is the page.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import rows, sentences
from triage.exports import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Template

    from training.evaluate import Comparison, Flip, Scores

HERE = Path(__file__).parent
STATIC = HERE / "static"
TEMPLATE = "report.html"


@dataclass(frozen=True, slots=True)
class ReportSource:
    """A file that the letters came from: its ``name`` without folder, its SHA-256 in hexadecimal, its rows."""

    name: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Setting:
    """What the search chose, and what was measured for it, each as people read it."""

    name: str
    value: str
    measured: str


@dataclass(frozen=True, slots=True)
class Target:
    """A precision asked of letters that go on without a person, and what came of it; ``confidence`` (0..1) that letters to come hold it."""

    precision: float
    confidence: float
    sent: int
    to_person: int
    held: float | None


@dataclass(frozen=True, slots=True)
class SendFrom:
    """From which probability a category's letters go on alone (None: never), and how many held-out ones did."""

    threshold: float | None
    letters: int


@dataclass(frozen=True, slots=True)
class Promise:
    """What the candidate promises: by precision target, by category (label code), and of its candidates."""

    targets: Sequence[Target]
    categories: Mapping[str, SendFrom]
    coverage_target: float
    coverage: float
    candidates: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """A held-out letter that was misread, by its id: the names of the right category and the one said, and how sure that was."""

    id: str
    right: str
    said: str
    probability: float


@dataclass(frozen=True, slots=True)
class FileFindings:
    """What the checks noticed in the files, as counts: letters with two labels, groups of near-duplicates, doubtful labels, refused rows."""

    conflicts: int = 0
    near_duplicate_groups: int = 0
    probably_wrong: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page tells. There is no field for a letter's words: ``terms`` are the vocabulary's, letters are ids and counts.

    ``letters`` counts the letters learned from and ``names`` has the Chinese name, both by label code; the page keeps the order of
    ``names`` and shows a code without a name as it is. ``scores`` and ``live`` are of letters held out; ``comparison`` needs both to
    have answered the same letters, which are those that ``flips`` are among. ``terms`` are (term, weight), strongest first.
    """

    version: str
    created: str
    who: str
    sources: Sequence[ReportSource]
    settings: Sequence[Setting]
    letters: Mapping[str, int]
    names: Mapping[str, str]
    findings: FileFindings
    scores: Scores
    promise: Promise
    terms: Mapping[str, Sequence[tuple[str, float]]]
    mistakes: Sequence[Mistake]
    live: Scores | None = None
    comparison: Comparison | None = None
    flips: Sequence[Flip] = ()


def html(report: Report) -> str:
    """The whole page. Whatever a name, an id or a term holds is text in it; a lone surrogate becomes "?"."""
    style, library, script = (_static(name) for name in ("report.css", "echarts.min.js", "report.js"))
    page = _template().render(
        report=report,
        sentences=sentences.three(report),
        rows=rows,
        charts=rows.charts(report),
        style=style,
        library=library,
        script=script,
        policy=_policy(style, [library, script]),
    )
    return page.encode("utf-8", "replace").decode()


def write(report: Report, path: Path) -> None:
    """Write the page: ``path`` is the old file or the whole new one, never a part. Raises StorageError."""
    page = html(report).encode()
    with replacing(path) as work:
        work.write_bytes(page)


def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": rows.percent, "decimal": rows.decimal, "span": rows.span, "count": rows.count}
    return environment.get_template(TEMPLATE)


def _static(name: str) -> Any:
    """A file of ours or the chart library, to stand in the page as it is."""
    from markupsafe import Markup

    return Markup((STATIC / name).read_text("utf-8"))  # noqa: S704 - shipped with the program, nobody's input


def _policy(style: str, scripts: Sequence[str]) -> str:
    """The page's Content-Security-Policy: exactly this style and these scripts, and nothing is loaded from anywhere."""
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (style, *scripts)]
    allowed = f"style-src {hashes[0]}; script-src {' '.join(hashes[1:])}"
    return f"default-src 'none'; {allowed}; img-src data:; base-uri 'none'; form-action 'none'"
