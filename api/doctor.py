"""``triage doctor``: is everything here as the service needs it? Looks and repairs nothing."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.errors import ModelError, RegisterError, StorageError, TriageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.settings import Settings

app = typer.Typer()

LIBRARIES = ("fastapi", "starlette", "uvicorn", "httptools", "uvloop", "pydantic", "orjson", "numpy", "numba", "scikit-learn", "sqlalchemy", "cryptography")
LITTLE_ROOM, NO_ROOM = 2_000_000_000, 200_000_000  # bytes: a few models; not even one
RELEASED = datetime(2026, 11, 1, tzinfo=UTC)  # a clock before this is wrong
MARKS = {"well": "✓", "mind": "!", "wrong": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found: ``state`` is well, mind (it works, but) or wrong; ``exit_status`` is that of the wrong ones."""

    check: str
    state: str
    says: str
    exit_status: int = 0


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="按 JSON 输出(管道中默认) / print JSON, as in a pipe")] = False) -> None:
    """体检:版本、磁盘、模型、登记簿、时钟、设置;有问题时退出码不为 0 / is everything as it should be? Exits with 0 only if so."""
    import orjson

    from api.settings import settings

    found = examine(settings())
    if sys.stdout.isatty() and not as_json:
        _show(found)
    else:
        well = not any(finding.exit_status for finding in found)
        sys.stdout.buffer.write(orjson.dumps({"well": well, "findings": [asdict(finding) for finding in found]}) + b"\n")
        sys.stdout.flush()
    raise typer.Exit(next((finding.exit_status for finding in found if finding.exit_status), 0))


def examine(known: Settings) -> list[Finding]:
    """All findings, in the order in which a person would mend them. Not one of the looks stops the others."""
    looks: dict[str, Callable[[Settings], Finding]] = {
        "settings": _settings,
        "libraries": _libraries,
        "sqlite": _sqlite,
        "clock": _clock,
        "room": _room,
        "write": _write,
        "compiled": _compiled,
        "model": _model,
        "register": _register,
    }
    from api.logs import plain

    found = [_looked(check, look, known) for check, look in looks.items()]
    return [replace(finding, says=plain(finding.says)) for finding in found]


def _looked(check: str, look: Callable[[Settings], Finding], known: Settings) -> Finding:
    try:
        return look(known)
    except TriageError as error:
        return Finding(check, "wrong", str(error), error.exit_status)
    except OSError as error:
        return Finding(check, "wrong", f"{known.home}: cannot be used ({error.strerror or error}). Look after the disk.", StorageError.exit_status)


def _settings(known: Settings) -> Finding:
    """Every setting; of a secret only whether it is set."""
    said = ", ".join(f"TRIAGE_{name.upper()}={_shown(getattr(known, name))}" for name in type(known).model_fields)
    strange = sorted(name for name in os.environ if name.startswith("TRIAGE_") and name[7:].lower() not in type(known).model_fields)
    if strange:
        return Finding("settings", "mind", f"{said}; not a setting of this program: {', '.join(strange)}")
    return Finding("settings", "well", said)


def _shown(value: object) -> str:
    if hasattr(value, "get_secret_value"):
        return "(set)" if value.get_secret_value() else "(not set)"
    return str(value.resolve()) if isinstance(value, Path) else str(value)


def _libraries(_: Settings) -> Finding:
    from importlib import metadata

    versions = ", ".join(f"{name} {version}" for name, version in _versions())
    return Finding("libraries", "well", f"letter-triage {metadata.version('letter-triage')}, Python {sys.version.split()[0]}, {versions}")


def _versions() -> Iterator[tuple[str, str]]:
    from importlib import metadata

    for name in LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:  # uvloop is not for every system
            yield name, "(not installed)"


def _sqlite(known: Settings) -> Finding:
    from triage.register.engine import address, has_reset_bug, sqlite_module

    module = sqlite_module()
    says = f"SQLite {module.sqlite_version} ({module.__name__.partition('.')[0]})"
    if has_reset_bug(module.sqlite_version_info) and address(known.home, known.database.get_secret_value()).get_backend_name() == "sqlite":
        return Finding("sqlite", "mind", f"{says} may lose commits when its log is reset (sqlite.org/wal.html). Run `pip install pysqlite3`.")
    return Finding("sqlite", "well", says)


def _clock(known: Settings) -> Finding:
    now = datetime.now(UTC)
    latest = max([RELEASED, *_changes(known.home)])
    if now < latest:
        return Finding("clock", "wrong", f"it is {now:%Y-%m-%d %H:%M} UTC by this machine, before {latest:%Y-%m-%d %H:%M} which has been. Set the clock.", 1)
    return Finding("clock", "well", f"{now:%Y-%m-%d %H:%M} UTC")


def _changes(home: Path) -> list[datetime]:
    """When models went live; none where the history is damaged, of which the look at the model tells."""
    from models import history
    from models.errors import RefusedModelError
    from triage.desk import model_folder

    try:
        return [datetime.fromisoformat(change.when) for change in history.read(model_folder(home))]
    except RefusedModelError:
        return []


def _room(known: Settings) -> Finding:
    import shutil

    folder = next(folder for folder in [known.home.resolve(), *known.home.resolve().parents] if folder.exists())
    free = shutil.disk_usage(folder).free
    state = "well" if free > LITTLE_ROOM else "mind" if free > NO_ROOM else "wrong"
    says = f"{free / 1e9:.1f} GB free for {known.home}" + ("" if state == "well" else ". Models and the register need more. Free some.")
    return Finding("room", state, says, StorageError.exit_status if state == "wrong" else 0)


def _write(known: Settings) -> Finding:
    """A few bytes, on the disk itself, and away again."""
    import tempfile

    with tempfile.TemporaryFile(dir=known.home) as file:
        file.write(b"0" * 65_536)
        file.flush()
        os.fsync(file.fileno())
    return Finding("write", "well", f"{known.home} can be written")


def _compiled(_: Settings) -> Finding:
    from models.compiled import UNKEPT, kept_in
    from models.lookup import index

    return Finding("compiled", "well", f"kept in {folder}") if (folder := kept_in(index)) else Finding("compiled", "mind", UNKEPT)


def _model(known: Settings) -> Finding:
    """The live model as the service would open it: whole, of this release, and deciding its golden letters as when it was made."""
    from triage.desk import open_desk
    from triage.taxonomy import load, path_of
    from triage.tokens import DICTIONARY, Segmenter

    desk = open_desk(known.home, load(known.home), Segmenter(path_of(DICTIONARY, known.home)))
    if desk.stored is None:
        return Finding("model", "wrong", f"{known.home}: no model is live. Every letter goes to a person. Run `triage init`.", ModelError.exit_status)
    return Finding("model", "well", f"{desk.version}, its golden letters are decided as when it was made")


def _register(known: Settings) -> Finding:
    from triage.register import audit, health
    from triage.register.book import open_register
    from triage.register.engine import address

    url = address(known.home, known.database.get_secret_value())
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return Finding("register", "well", "none yet; it is made on first use")
    with closing(open_register(known.home, known.database.get_secret_value(), known.text_key.get_secret_value())) as register:
        health.check(register)
        health.check_writable(register)
        with register.reading() as connection:
            found = audit.verify(connection)
    if found.first_bad is not None:
        return Finding(
            "register",
            "wrong",
            f"register {register.place}: the audit trail is wrong from row {found.first_bad} on. See docs/register.md.",
            RegisterError.exit_status,
        )
    return Finding("register", "well", f"{register.place}: whole, can be written, {found.seq} rows in the audit trail")


def _show(found: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in found:
        colour = {"well": "green", "mind": "yellow", "wrong": "bold red"}[finding.state]
        table.add_row(Text(MARKS[finding.state], colour), Text(finding.check, "bold"), Text(finding.says))
    Console().print(table)
