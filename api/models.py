"""``triage models``: every version, which one is live, and how it came to be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.history import Change
    from training.promote import Asked
    from triage.taxonomy import Taxonomy
    from triage.tokens import Segmenter

models_app = typer.Typer(no_args_is_help=True, help="模型版本:查看、上线、退回、核验、清理 / versions of the model: look, promote, roll back, verify, prune.")

AsJson = Annotated[bool, typer.Option("--json", help="按 JSON 输出(管道中默认) / print JSON, as in a pipe")]
Version = Annotated[str, typer.Argument(help="版本号、其开头几位,或 live / a version, its beginning, or live", metavar="VERSION")]
Why = Annotated[str, typer.Option(help="理由,记入历史 / the reason, kept in the history", metavar="TEXT")]
By = Annotated[str, typer.Option(help="经办人,默认为登录名 / who asks; the login name by default", metavar="NAME")]


@models_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """所有版本,以及现用的是哪一个 / every version, and which one is live."""
    rows = rows_of(_home())[1]
    if _for_people(as_json):
        _show_table(rows)
    else:
        _print(rows)


@models_app.command()
def show(version: Version, as_json: AsJson = False) -> None:
    """一个版本的全部记录,已清理的也可查 / all that is known of a version, also of one that was pruned."""
    from models import history, store
    from training.promote import find, storage
    from triage.desk import model_folder

    home = _home()
    folder, version = model_folder(home), find(home, version)
    with storage(home):
        card = store.card(folder, version)
        changes = [change.as_dict() for change in history.read(folder) if version in (change.version, change.previous)]
        state = {"live": store.current(folder) == version, "pruned": version not in store.versions(folder)}
    golden = [{key: value for key, value in entry.items() if key not in {"title", "body"}} for entry in card.pop("golden", [])]
    _print(card | state | {"golden": golden, "history": changes}, indent=_for_people(as_json))


@models_app.command()
def promote(
    version: Version,
    force: Annotated[bool, typer.Option("--force", help="不顾异议上线,须写明理由 / in spite of objections; needs --why")] = False,
    why: Why = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """把一个版本换成现用,变差则拒绝 / put a version live; refused when it is worse."""
    from training import promote as promotion

    home, taxonomy, segmenter = _office()
    _tell(promotion.promote(home, version, taxonomy, segmenter, _asked(by, why, force=force)), as_json)


@models_app.command()
def rollback(why: Why = "", by: By = "", as_json: AsJson = False) -> None:
    """退回上一个现用版本,可再退 / back to the version that was live before; again goes further back."""
    from training import promote as promotion

    home, taxonomy, segmenter = _office()
    _tell(promotion.rollback(home, taxonomy, segmenter, _asked(by, why)), as_json)


@models_app.command()
def verify(version: Annotated[str, typer.Argument(help="默认为全部 / all of them by default", metavar="VERSION")] = "", as_json: AsJson = False) -> None:
    """核验文件与样信结果,有一个不合格即退出码 5 / check files and golden letters; exits with 5 when a model fails."""
    from models import store
    from training.promote import find, storage
    from triage.desk import model_folder

    home, taxonomy, segmenter = _office()
    with storage(home):
        versions = [find(home, version)] if version else store.versions(model_folder(home))
    rows = [{"version": each, "problem": _problem(home, each, taxonomy, segmenter)} for each in versions]
    if _for_people(as_json):
        for row in rows:
            print(f"{row['version']}: {_plain(row['problem']) or '合格 / sound'}")
    else:
        _print([{"version": row["version"], "sound": not row["problem"], "problem": row["problem"]} for row in rows])
    if any(row["problem"] for row in rows):
        raise typer.Exit(5)


@models_app.command()
def prune(
    keep: Annotated[int, typer.Option(help="保留最新的几个版本 / how many of the newest to keep", min=0, metavar="N")],
    as_json: AsJson = False,
) -> None:
    """删去旧版本的数组,只留卡片;现用及上一个总是保留 / delete old versions but for their cards; the live one and the one before stay."""
    from models import store
    from training.promote import storage
    from triage.desk import model_folder

    home = _home()
    with storage(home):
        gone = store.prune(model_folder(home), keep)
        kept = store.versions(model_folder(home))
    if _for_people(as_json):
        print(f"清理 / pruned: {', '.join(gone) or '—'}\n保留 / kept: {', '.join(kept)}")
    else:
        _print({"pruned": gone, "kept": kept})


def rows_of(home: Path) -> tuple[str | None, list[dict[str, Any]]]:
    """The live version, and what is to be said of every version. Raises StorageError, ModelError."""
    from models import history, store
    from training.promote import storage
    from triage.desk import model_folder

    folder = model_folder(home)
    with storage(home):
        live, changes = store.current(folder), history.read(folder)
        return live, [_row(folder, version, live, changes) for version in store.versions(folder)]


def _row(folder: Path, version: str, live: str | None, changes: Sequence[Change]) -> dict[str, Any]:
    """What the list says of a version; ``problem`` when its card cannot be used."""
    from models import store
    from models.errors import RefusedModelError

    went_live = next((change for change in reversed(changes) if change.version == version), None)
    row: dict[str, Any] = {"version": version, "live": version == live, "problem": ""}
    row |= {"live_since": went_live.when if went_live else None, "by": went_live.who if went_live else None}
    try:
        card = store.card(folder, version)
    except RefusedModelError as error:
        return row | _facts({}) | {"problem": str(error)}
    problem = "" if card.get("format") == store.FORMAT else f"made by another release (format {card.get('format')}); retrain"
    return row | _facts(card) | {"problem": problem}


def _facts(card: dict[str, Any]) -> dict[str, Any]:
    sources = card.get("sources") or [card.get("source", "")]
    scores = card.get("held_out", {}).get("category", {})
    return {
        "created": card.get("created"),
        "sources": [source["name"] if isinstance(source, dict) else source for source in sources if source],
        "letters": card.get("letters", {}).get("count"),
        "accuracy": scores.get("accuracy"),
        "macro_f1": scores.get("macro_f1"),
    }


def _show_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("", "版本", "训练时间", "来源", "来信", "准确率", "macro-F1", "上线时间", "经办人", "问题"):
        table.add_column(name, justify="right" if name in {"来信", "准确率", "macro-F1"} else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_plain(cell)) for cell in _cells(row)), style="bold green" if row["live"] else "")
    Console().print(table)


def _cells(row: dict[str, Any]) -> list[str]:
    times = [_local(row[name] or "—") for name in ("created", "live_since")]
    figures = ["—" if row[name] is None else f"{row[name]:.3f}" for name in ("accuracy", "macro_f1")]
    sources = "、".join(map(str, row["sources"])) or "—"
    return ["●" if row["live"] else "", row["version"], times[0], sources, str(row["letters"] or "—"), *figures, times[1], row["by"] or "—", row["problem"]]


def _local(when: str) -> str:
    from datetime import datetime

    try:
        return f"{datetime.fromisoformat(when).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return when


def _plain(text: str) -> str:
    """Without what could move a terminal's cursor."""
    return "".join(character if character.isprintable() else " " for character in text)


def _problem(home: Path, version: str, taxonomy: Taxonomy, segmenter: Segmenter) -> str:
    from training.promote import verify
    from triage.errors import TriageError

    try:
        verify(home, version, taxonomy, segmenter)
    except TriageError as error:
        return str(error)
    return ""


def _tell(change: Change, as_json: bool) -> None:
    if _for_people(as_json):
        print(f"现用 / live: {change.version}\n之前 / before: {change.previous or '—'}")
    else:
        _print(change.as_dict())


def _asked(by: str, why: str, *, force: bool = False) -> Asked:
    from training.promote import Asked

    who, why = (text.encode("utf-8", "replace").decode() for text in (by or _login(), why))
    return Asked(who, why, force)


def _login() -> str:
    from getpass import getuser

    try:
        return getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return ""


def _home() -> Path:
    from api.settings import settings

    return settings().home


def _office() -> tuple[Path, Taxonomy, Segmenter]:
    from triage.taxonomy import load, path_of
    from triage.tokens import DICTIONARY, Segmenter

    home = _home()
    return home, load(home), Segmenter(path_of(DICTIONARY, home))


def _for_people(as_json: bool) -> bool:
    return sys.stdout.isatty() and not as_json


def _print(answer: object, *, indent: bool = False) -> None:
    import orjson

    sys.stdout.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2 if indent else 0).decode() + "\n")
