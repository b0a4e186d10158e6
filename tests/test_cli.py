"""The command line: what a newcomer types, and what a clerk types wrong."""

import json
import os
import shutil
import subprocess
import sys
from io import StringIO

import pytest
from offices import here, triage
from rich.console import Console

from api import cli, terminal
from triage.errors import InputError

LETTER = "包工头欠我们八个人四个月工资不给"


@pytest.fixture
def run(home):
    """A command in this process."""
    return lambda *words, **options: here(*words, **{"TRIAGE_HOME": str(home), **options})


@pytest.fixture
def process(home):
    """A command as a process of its own."""

    def process(*words, stdin=b"", **env):
        command = [sys.executable, "-c", "from api.cli import main; main()", *words]
        return subprocess.run(command, input=stdin, capture_output=True, env={**os.environ, "TRIAGE_HOME": str(home), **env}, check=False, timeout=120)

    return process


def test_a_text_gives_a_decision_as_json_in_a_pipe(process):
    done = process("classify", LETTER)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["category"]["code"] == "wages"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_file_is_read_in_its_encoding(run, tmp_path, encoding):
    path = tmp_path / "来信 一.txt"
    path.write_bytes(LETTER.encode(encoding))
    assert json.loads(run("classify", str(path)).stdout)["category"]["code"] == "wages"


def test_standard_input_is_a_letter(run):
    assert json.loads(run("classify", "-", stdin=LETTER.encode()).stdout)["category"]["code"] == "wages"


def test_a_title_is_read_too(run):
    assert json.loads(run("classify", "请尽快解决", "--title", LETTER).stdout)["category"]["code"] == "wages"


def test_an_empty_letter_is_not_classified(run):
    assert json.loads(run("classify", "-").stdout)["reasons"][0]["rule"] == "empty"


def test_a_missing_file_is_an_input_error(run):
    done = run("classify", "没有这封信.txt")
    assert done.returncode == 4
    assert b"no such file" in done.stderr


def test_a_file_in_no_known_encoding_is_an_input_error(run, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_bytes(b"\xff\xff\xff\x80")
    done = run("classify", str(path))
    assert done.returncode == 4
    assert b"byte" in done.stderr


def test_a_bad_setting_is_named_and_exits_with_2(run):
    done = run("init", TRIAGE_PORT="none")
    assert done.returncode == 2
    assert b"TRIAGE_PORT" in done.stderr


def test_a_damaged_model_exits_with_5(process, home, tmp_path):
    copy = tmp_path / "office"
    shutil.copytree(home, copy)
    weights = next(copy.glob("models/*/weights.npy"))
    weights.write_bytes(weights.read_bytes()[:-4])
    done = process("classify", LETTER, TRIAGE_HOME=str(copy))
    assert done.returncode == 5
    assert b"weights.npy" in done.stderr


def test_an_unwritable_office_exits_with_8(run, tmp_path):
    (tmp_path / "office").write_text("a file where the folder should be")
    assert run("classify", LETTER, TRIAGE_HOME=str(tmp_path / "office")).returncode == 8


def test_a_c_locale_still_answers_in_chinese(process):
    done = process("classify", LETTER, LC_ALL="C", LANG="C", PYTHONUTF8="0", TERM="dumb")
    assert "拖欠工资" in done.stdout.decode()


def test_a_closed_standard_error_is_no_trouble(home):
    command = [sys.executable, "-c", "from api.cli import main; main()", "classify", LETTER]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=os.environ | {"TRIAGE_HOME": str(home)}, check=True, preexec_fn=lambda: os.close(2))
    assert json.loads(done.stdout)["category"]["code"] == "wages"


def test_init_says_where_and_which_model(run, home, desk):
    assert json.loads(run("init", "--json").stdout) == {"home": str(home.resolve()), "model": desk.version}


def test_no_command_shows_the_help(run):
    done = run()
    assert b"classify" in done.stdout + done.stderr


def test_the_help_enters_no_heavy_room(run):
    code = "import sys, api.cli; print([name for name in ('numpy', 'sklearn', 'fastapi', 'rjieba', 'pydantic', 'scipy', 'sqlalchemy', 'cryptography') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"


@pytest.mark.parametrize("by", ["option", "setting"])
def test_a_port_in_use_is_named_and_exits_with_2(run, by):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", "--port", port) if by == "option" else run("serve", TRIAGE_PORT=port)
    assert done.returncode == 2
    assert b"TRIAGE_HOST, TRIAGE_PORT: cannot listen" in done.stderr


def test_init_again_trains_another_version_that_decides_the_same(office):
    before = json.loads(triage("classify", LETTER, home=office)[1])
    again = json.loads(triage("init", "--again", "--json", home=office)[1])["model"]
    after = json.loads(triage("classify", LETTER, home=office)[1])
    assert before["model"] != again == after["model"]
    assert before | {"model": again} == after


def shown(decision, text, **options):
    console = Console(file=StringIO(), force_terminal=True, width=100, color_system="standard", record=True)
    terminal.show(decision, text, console=console, **options)
    return console.export_text(clear=False), console.file.getvalue()


def test_a_terminal_shows_the_decision_for_people(decide):
    text, _ = shown(decide(LETTER), LETTER, why=False)
    assert "拖欠工资" in text
    assert "人力资源和社会保障局" in text
    assert "转送" in text


def test_why_highlights_the_words_in_the_letter(decide):
    text, raw = shown(decide(LETTER), LETTER, why=True)
    assert LETTER in text
    assert "\x1b[1;32m" in raw


def test_a_letter_that_was_not_classified_is_shown_as_such(decide):
    assert "未分类" in shown(decide(""), "", why=True)[0]


def test_control_sequences_of_a_letter_do_not_reach_the_terminal(decide):
    letter = "\x1b[2J\u202e" + LETTER
    assert "\x1b[2J" not in shown(decide(letter), letter, why=True)[1]


def test_progress_is_silent_in_a_pipe(capsys):
    with terminal.progress("训练") as told:
        told("features", 0.5)
    assert capsys.readouterr().err == ""


def test_a_letter_too_long_for_a_path_is_a_text():
    assert cli.read_letter("字" * 5_000) == "字" * 5_000
    assert cli.read_letter("甲\0乙") == "甲\0乙"


def test_decoding_prefers_utf_8():
    assert cli._decoded("x", "编号".encode()) == "编号"
    with pytest.raises(InputError, match="byte 0"):
        cli._decoded("x", b"\xff\xff\xff")
