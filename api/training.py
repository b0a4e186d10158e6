"""``triage train``, ``check`` and ``evaluate``: labelled letters from Excel on the command line."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from training.evaluate import Scores
    from training.labelled import Labelled
    from training.retrain import Evaluated, Office

app = typer.Typer()

Files = Annotated[
    list[Path],
    typer.Argument(help="标注来信:CSV、TSV、XLSX、XLS、ODS、JSONL、Parquet / labelled letters", metavar="FILE…", exists=True, dir_okay=True),
]
TextColumn = Annotated[str, typer.Option("--text", help="正文列名(默认自动识别) / the column of the text", metavar="COLUMN")]
LabelColumn = Annotated[str, typer.Option("--label", help="类别列名(默认自动识别) / the column of the category", metavar="COLUMN")]
Sheet = Annotated[str, typer.Option(help="工作表名 / the worksheet", metavar="NAME")]
ListTo = Annotated[Path | None, typer.Option("--list", help="核对清单写到哪里(默认在输入文件旁) / where the list to correct goes", metavar="FILE.xlsx")]
AsJson = Annotated[bool, typer.Option("--json", help="按 JSON 输出(管道中默认) / print JSON, as in a pipe")]
REFUSED = 3  # exit status: done, with refused rows


@app.command()
def check(files: Files, text: TextColumn = "", label: LabelColumn = "", sheet: Sheet = "", list_to: ListTo = None, as_json: AsJson = False) -> None:
    """标注数据好不好:查重、查错、列出核对清单 / is the data good? Writes a list to correct in Excel."""
    from training import checks, retrain

    office = _office()
    labelled = _labelled(files, office, text, label, sheet)
    with _progress("检查标注来信 / checking") as told:
        found, path = retrain.check(office, labelled, list_to or _beside(files[0]), told)
    answer = {"letters": len(labelled.letters), "refused": labelled.refused, "findings": checks.summary(found), "list": str(path.resolve())}
    _finish(labelled, answer, as_json)


@app.command()
def train(
    files: Files,
    text: TextColumn = "",
    label: LabelColumn = "",
    sheet: Sheet = "",
    promote: Annotated[bool, typer.Option("--promote", help="比现用模型不差就启用 / make it live unless it is worse")] = False,
    precision: Annotated[float, typer.Option(help="直接分办应有的正确率 / precision of letters sent on alone", min=0.5, max=0.999)] = 0.95,
    coverage: Annotated[float, typer.Option(help="候选应有的覆盖率 / how often the candidates hold the right category", min=0.5, max=0.999)] = 0.95,
    confidence: Annotated[float, typer.Option(help="上述承诺的置信度 / confidence of both promises", min=0.5, max=0.999)] = 0.9,
    starter: Annotated[float, typer.Option(help="初始来信的权重,0 为不用 / weight of a starter letter, 0 leaves them out", min=0.0, max=10.0)] = 0.5,
    search: Annotated[bool, typer.Option("--search/--no-search", help="试几种设置,取最好的 / try settings and take the best")] = True,
    seed: Annotated[int, typer.Option(help="随机种子 / seed", min=0)] = 0,
    register: Annotated[
        float, typer.Option(help="登记簿中更正、退回来信的权重,0 为不用 / weight of letters corrected in the register, 0 leaves them out", min=0.0, max=10.0)
    ] = 0.0,
    list_to: ListTo = None,
    by: Annotated[str, typer.Option(help="操作人(默认登录名) / who trains, by default the login name", metavar="NAME")] = "",
    as_json: AsJson = False,
) -> None:
    """用标注来信训练候选模型 / labelled letters to a candidate model, with a report."""
    from models.learning import Options
    from training import retrain

    office = _office()
    labelled = _labelled(files, office, text, label, sheet)
    if register:
        labelled = _with_register(labelled, office, register)
    wanted = retrain.Wanted(Options(coverage, precision, confidence, seed=seed), starter, by or getpass.getuser(), search)
    with _progress("训练 / training") as told:
        made = retrain.train(office, labelled, wanted, told, list_to=list_to or _beside(files[0]))
    answer = retrain.as_dict(made) | {"refused": labelled.refused, "promoted": promote}
    if promote:
        from training.promote import Asked
        from training.promote import promote as put_live

        put_live(office.home, made.version, office.taxonomy, office.segmenter, Asked(wanted.who, "triage train --promote"))
    _finish(labelled, answer, as_json)


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="标注来信 / labelled letters", metavar="FILE", exists=True)],
    text: TextColumn = "",
    label: LabelColumn = "",
    sheet: Sheet = "",
    model: Annotated[str, typer.Option(help="模型版本,默认现用 / version, by default the live one", metavar="VERSION")] = "live",
    against: Annotated[str, typer.Option(help="与之比较的版本,如 live / version to compare with, as live", metavar="VERSION")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="把比较写进模型卡,供启用时查验 / keep the comparison on the model's card, for promotion")] = False,
    flips: Annotated[Path | None, typer.Option(help="改分清单写到哪里 / where the list of letters that would move goes", metavar="FILE.csv")] = None,
    as_json: AsJson = False,
) -> None:
    """模型在标注来信上有多好,是否更好 / how good is a model, and is it better than another?"""
    from training import retrain

    office = _office()
    labelled = _labelled([file], office, text, label, sheet)
    found = retrain.evaluate(office, labelled, model, against)
    if keep:
        retrain.keep(office, found)
    if flips:
        _write_flips(flips, found)
    _finish(labelled, _evaluated(found), as_json)


def _office() -> Office:
    from api.settings import settings
    from training.retrain import Office
    from triage.taxonomy import load, path_of
    from triage.tokens import DICTIONARY, Segmenter

    home = settings().home
    return Office(home, load(home), Segmenter(path_of(DICTIONARY, home)))


def _labelled(files: list[Path], office: Office, text: str, label: str, sheet: str) -> Labelled:
    from training.labelled import read_labelled

    return read_labelled(files, office.taxonomy, text=text, label=label, sheet=sheet)


def _with_register(labelled: Labelled, office: Office, weight: float) -> Labelled:
    from contextlib import closing

    from api.settings import settings
    from training.registered import with_register
    from triage.register import labels
    from triage.register.book import open_register

    known = settings()
    with closing(open_register(office.home, known.database.get_secret_value(), known.text_key.get_secret_value())) as register:
        return with_register(labelled, labels.said(register), office.taxonomy, weight)


def _beside(file: Path) -> Path:
    """``letters.csv.gz`` -> ``letters.checked.xlsx`` in the same folder."""
    return file.with_name(f"{file.name.split('.')[0] or file.name}.checked.xlsx")


def _progress(name: str) -> Any:
    from api import terminal

    return terminal.progress(name)


def _evaluated(found: Evaluated) -> dict[str, Any]:
    answer = {"model": found.version, **_figures(found.scores), "learned_from": found.learned_from}
    if found.comparison is None or found.live is None:
        return answer
    comparison = found.comparison.as_dict()
    return answer | {"against": found.against, "live": _figures(found.live), "comparison": comparison, "would_move": len(found.flips)}


def _figures(found: Scores) -> dict[str, Any]:
    plain = {name: round(value, 4) if isinstance(value, float) else value for name, value in found.as_dict().items() if isinstance(value, (int, float))}
    categories = {
        label: {"letters": category.letters, "precision": _round(category.precision), "recall": _round(category.recall), "f1": _round(category.f1)}
        for label, category in found.categories.items()
        if category.letters or category.said
    }
    return plain | {"categories": categories}


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _write_flips(path: Path, found: Evaluated) -> None:
    from triage.exports import write_csv

    order = sorted(found.flips, key=lambda flip: (flip.live_category, flip.category, flip.id))
    rows = [(flip.id, flip.live_category, flip.live_department, flip.category, flip.department, flip.truth) for flip in order]
    write_csv(path, ("编号", "现用类别", "现用承办单位", "新类别", "新承办单位", "标注类别"), rows)


def _finish(labelled: Labelled, answer: dict[str, Any], as_json: bool) -> None:
    """Print the answer, say where refused rows are, and exit with 3 when there are any."""
    import orjson

    if as_json or not sys.stdout.isatty():
        sys.stdout.buffer.write(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
        sys.stdout.flush()
    else:
        from api import terminal

        terminal.tell(answer)
    for path in labelled.refused_files:
        print(f"triage: {labelled.refused:,} rows refused, with reasons in {path}", file=sys.stderr)
    if labelled.refused:
        raise typer.Exit(REFUSED)
