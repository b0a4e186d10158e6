"""``triage``: the desk on the command line. Heavy rooms are entered only when a command needs them."""

from __future__ import annotations

import errno
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TextIO

import typer

from api.archive import app as archive_app
from api.doctor import app as doctor_app
from api.keys import keys_app
from api.models import models_app
from api.register import register_app
from api.serving import app as serving_app
from api.training import app as training_app
from triage.errors import InputError, TriageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from triage.desk import Desk
    from triage.letter import Decision
    from triage.tokens import Segmenter

app = typer.Typer(
    name="triage",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="信访来信分办:说什么事、归谁办、有多大把握、凭什么。\n\nWhat a complaint letter is about, who must answer, how sure that is, and why.",
)

app.add_typer(archive_app)
app.add_typer(training_app)
app.add_typer(serving_app)
app.add_typer(doctor_app)
app.add_typer(models_app, name="models")
app.add_typer(register_app, name="register")
app.add_typer(keys_app, name="keys")

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # what a disk says that takes no more

AsJson = Annotated[bool, typer.Option("--json", help="按 JSON 输出(管道中默认) / print JSON, as in a pipe")]


@app.command()
def classify(
    letter: Annotated[str, typer.Argument(help="来信文字、文件路径,或 - 表示标准输入 / the text, a file, or - for standard input", metavar="TEXT|FILE|-")],
    title: Annotated[str, typer.Option(help="来信标题 / the letter's title, if it stands apart")] = "",
    why: Annotated[bool, typer.Option("--why", help="在原文中标出依据 / show in the text which words decided")] = False,
    as_json: AsJson = False,
) -> None:
    """一封来信,一份分办意见 / one letter in, one decision out."""
    from triage.letter import Letter

    text = read_letter(letter)
    decision = _desk().decide([Letter(text, title=title)])[0]
    if as_json or not sys.stdout.isatty():
        _print_json(decision)
    else:
        from api import terminal

        terminal.show(decision, f"{title}\n{text}" if title else text, why=why)


@app.command()
def init(again: Annotated[bool, typer.Option("--again", help="重新训练初始模型 / train the starter model again")] = False, as_json: AsJson = False) -> None:
    """准备好 TRIAGE_HOME:训练初始模型 / make the office ready: train the starter model."""
    import orjson

    from training import train
    from triage.taxonomy import load

    home = _home()
    taxonomy, segmenter = load(home), _segmenter(home)
    with _progress() as told:
        version = train.train_starter(home, taxonomy, segmenter, told=told) if again else train.ensure_model(home, taxonomy, segmenter, told)
    print(orjson.dumps({"home": str(home.resolve()), "model": version}).decode() if as_json else f"{home.resolve()}: {version}")


def read_letter(letter: str) -> str:
    """The text that TEXT, FILE or ``-`` stands for. Raises InputError when a named file cannot be read.

    >>> read_letter("拖欠工资")
    '拖欠工资'
    """
    if letter == "-":
        return _decoded("standard input", sys.stdin.buffer.read())
    path = Path(letter)
    if _is_file(path):
        return _decoded(letter, path.read_bytes())
    if path.suffix.lower() in {".txt", ".md", ".html", ".csv", ".json"} and "\n" not in letter and len(letter) < 256:
        raise InputError("FILE: no such file. Give the path of a text file, the text itself, or - for standard input. Check the path.")
    return letter


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a whole letter is too long for a path, or holds NUL
        return False


def _decoded(where: str, raw: bytes) -> str:
    """BOM, then strict UTF-8, then strict GB18030: the other way round a third of UTF-8 letters would pass as GB18030."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            place = error.start
    raise InputError(f"{where}: byte {place} is neither UTF-8 nor GB18030. Save the letter in one of the two. Or paste its text.")


def _home() -> Path:
    from api.settings import settings

    return settings().home


def _desk() -> Desk:
    from triage.desk import open_desk
    from triage.taxonomy import load

    home = ready_home()
    return open_desk(home, load(home), _segmenter(home))


def ready_home() -> Path:
    """The office's folder, with a live model in it: the starter model is trained when there is none."""
    from training.train import ensure_model
    from triage.taxonomy import load

    home = _home()
    with _progress() as told:
        ensure_model(home, load(home), _segmenter(home), told)
    return home


@cache  # a tenth of a second for each
def _segmenter(home: Path) -> Segmenter:
    from triage.taxonomy import path_of
    from triage.tokens import DICTIONARY, Segmenter

    return Segmenter(path_of(DICTIONARY, home))


def _progress() -> AbstractContextManager[Callable[[str, float], None]]:
    from api import terminal

    return terminal.progress("训练初始模型 / training the starter model")


def _print_json(decision: Decision) -> None:
    import orjson

    sys.stdout.buffer.write(orjson.dumps(decision.as_dict()) + b"\n")
    sys.stdout.flush()


def main() -> None:
    """The command ``triage``: prints an error that a user can mend in one line, and exits with its status."""
    sys.stdout, sys.stderr = (stream or Path(os.devnull).open("w", encoding="utf-8") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115  # one may be closed, and stays open to the end
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]  # a C locale must not stop a Chinese answer
    sys.argv = [os.fsencode(word).decode("utf-8", "surrogateescape") for word in sys.argv]
    try:
        app()
    except TriageError as error:
        _leave(str(error), error.exit_status)
    except OSError as error:
        if error.filename or error.errno not in FULL:
            raise
        _discard(sys.stdout)
        _leave(f"standard output: cannot be written ({error.strerror}). The answer is not whole. Free space, and run it again.", 8)
    except MemoryError:
        _leave("system: too little memory. The desk and its model need about 300 MB. Raise the limit (`ulimit -v`, MemoryMax).", 8)


def _leave(says: str, status: int) -> NoReturn:
    """End with a line on standard error; also when nobody can write it, so that the status tells."""
    try:
        print(f"triage: {says}", file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)
    sys.exit(status)


def _discard(stream: TextIO) -> None:
    """What a stream could not write is not to be tried again when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
