"""Versions over time: the history that names the live one, writers that are killed or come together, pruning, and `triage models`."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import typer
from offices import flip_a_bit, keep, rewrite_card, small_model
from typer.testing import CliRunner

from api import models as commands
from models import history, store
from models.disk import locked
from models.errors import RefusedModelError
from models.history import PROMOTE, ROLLBACK
from training.promote import Asked, golden_letters, rollback
from triage.desk import model_folder, open_desk
from triage.errors import InputError, ModelError, TriageError
from triage.letter import Letter

LETTER = Letter("包工头欠我们六个人三个月的工钱,找劳动部门也没有结果")
CLERK = Asked("梁文书", "试用", force=True)


@pytest.fixture(scope="module")
def bases(starter, segmenter):
    """Two models that answer unlike each other."""
    return {"a": small_model(starter, segmenter), "b": small_model(starter, segmenter, each=6)}


@pytest.fixture(scope="module")
def prepared(bases, segmenter, tmp_path_factory):
    home = tmp_path_factory.mktemp("prepared")
    for number, letter in enumerate("abab"):
        keep(home, f"{letter}-{number}", bases[letter], segmenter, golden_letters(), created=f"2026-11-2{number}T08:00:00+00:00", source="starter")
    store.make_current(model_folder(home), "a-0", who="init")
    return home


@pytest.fixture
def office(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "office")


@pytest.fixture
def folder(office):
    """b-1 is live, a-0 was before."""
    store.make_current(model_folder(office), "b-1", who="梁文书", why="更准")
    return model_folder(office)


def test_the_last_line_of_the_history_names_the_live_version(folder):
    lines = [json.loads(line) for line in (folder / history.FILE).read_text("utf-8").splitlines()]
    assert [(line["action"], line["version"], line["from"], line["who"]) for line in lines] == [
        (PROMOTE, "a-0", None, "init"),
        (PROMOTE, "b-1", "a-0", "梁文书"),
    ]
    assert store.current(folder) == "b-1"
    assert [change.as_dict() | {"objections": []} for change in history.read(folder)] == lines


def test_a_change_leaves_the_lines_before_it_as_they_were(folder):
    before = (folder / history.FILE).read_bytes()
    store.make_current(folder, "a-0", action=ROLLBACK)
    assert (folder / history.FILE).read_bytes().startswith(before)


def test_a_change_that_does_not_follow_is_not_written(folder):
    before = (folder / history.FILE).read_bytes()
    for version, previous in (("a-2", "a-0"), ("b-1", "b-1"), ("a-2", "b-1")):
        with pytest.raises(RefusedModelError, match="line 3"):
            history.append(folder, history.Change(ROLLBACK, version, previous, "2026-11-22T08:00:00+00:00"))
    assert (folder / history.FILE).read_bytes() == before


FIRST = b'{"action": "promote", "version": "a-0", "from": null, "when": "x", "who": "", "why": "", "forced": false, "objections": []}\n'
SECOND = FIRST.replace(b"a-0", b"b-1").replace(b"null", b'"a-0"')
BACK = FIRST.replace(b"promote", b"rollback").replace(b"null", b'"b-1"')
DAMAGED = {
    "empty": (b"", 1),
    "no end of line": (FIRST + SECOND[:-1], 2),
    "half a line": (FIRST + SECOND[:40], 2),
    "an empty line": (FIRST + b"\n", 2),
    "no JSON": (FIRST + b"promote b-1\n", 2),
    "no object": (FIRST + b"[]\n", 2),
    "a number": (FIRST + b"7\n", 2),
    "not UTF-8": (FIRST + b"\xff\xfe\x00\n", 2),
    "zeros": (FIRST + bytes(len(SECOND)), 2),
    "a field is missing": (FIRST + SECOND.replace(b'"who": "", ', b""), 2),
    "a field of a newer release": (FIRST + SECOND.replace(b'"who"', b'"seal": "", "who"'), 2),
    "another action": (FIRST.replace(b"promote", b"delete"), 1),
    "a version that is no text": (FIRST.replace(b'"a-0"', b"7"), 1),
    "no version": (FIRST.replace(b"a-0", b""), 1),
    "a line is missing": (SECOND + FIRST.replace(b"null", b'"a-2"'), 2),
    "a line stands twice": (FIRST + SECOND + SECOND, 3),
    "the order is another": (FIRST + BACK + SECOND, 2),
    "back to the wrong version": (FIRST + SECOND + BACK.replace(b"a-0", b"a-2"), 3),
    "back before the beginning": (FIRST + BACK.replace(b"b-1", b"a-0"), 2),
}


@pytest.mark.parametrize(("content", "line"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_history_is_refused_and_never_guessed(folder, content, line):
    (folder / history.FILE).write_bytes(content)
    with pytest.raises(RefusedModelError, match=rf"history\.jsonl line {line}: .*Restore history\.jsonl from a backup"):
        store.current(folder)


def test_a_sound_history_is_read_whatever_its_length(folder):
    (folder / history.FILE).write_bytes(FIRST + SECOND + BACK + SECOND)
    assert history.lineage(history.read(folder)) == ["a-0", "b-1"]


def test_the_file_of_an_earlier_release_counts_until_there_is_a_history(folder):
    (folder / "current").write_text("a-2\n")
    assert store.current(folder) == "b-1"
    (folder / history.FILE).unlink()
    assert store.current(folder) == "a-2"


def test_a_reader_never_waits_for_a_writer(folder):
    with locked(folder):
        assert store.current(folder) == "b-1"
        assert store.load(folder, "b-1").version == "b-1"


def test_a_writer_does_not_wait_for_ever(folder):
    with locked(folder), pytest.raises(OSError, match=r"another program .* 0\.05 seconds"), locked(folder, patience=0.05):
        pass
    with locked(folder, patience=0.05):
        pass


NURSERY = """
import os, sys, time
from pathlib import Path
from models import store
from training.promote import Asked, promote, rollback
from triage import taxonomy
from triage.desk import model_folder
from triage.errors import ModelError
from triage.tokens import Segmenter

home, what = Path(sys.argv[1]), sys.argv[2]
folder, office = model_folder(home), (taxonomy.shipped(), Segmenter())
bases = {"a": store.load(folder, "a-0"), "b": store.load(folder, "b-1")}
own = ("reads", "dictionary", "golden")

def save(version):
    base = bases[version[0]]
    store.save(folder, version, base.model, ["x"] * len(base.model.vocabulary), {name: base.card[name] for name in own})

def changes(turn, times):
    for number in range(times):
        for name in (f"a-{turn}-{number}", f"b-{turn}-{number}"):
            save(name)
            promote(home, name, *office, Asked("child", "loop", force=True))
        rollback(home, *office, Asked("child"))

def rounds(turn, times):
    save(name := f"{'ab'[turn % 2]}-child{turn}")
    for number in range(times):
        try:
            done = [promote(home, name, *office, Asked(f"{turn}", f"{number}", force=True))]
        except ModelError as error:  # another child's roll back brought this one's version
            assert error.kind == "already-live", error
            continue
        done.append(rollback(home, *office, Asked(f"{turn}", f"{number}")))
        os.write(1, b"".join(f"{change.action} {change.version} {change.who} {change.why}\\n".encode() for change in done))

def born(work, turn, times):
    child = os.fork()
    if child == 0:
        try:
            work(turn, times)
        except BaseException as error:
            os.write(1, f"failed {error!r}\\n".encode())
        os._exit(0)
    return child

if what == "race":
    for child in [born(rounds, turn, 3) for turn in range(8)]:
        os.waitpid(child, 0)
else:
    began = time.monotonic()
    changes("calm", 1)
    took = time.monotonic() - began
    print("ready", flush=True)
    for turn, line in enumerate(sys.stdin):
        child = born(changes, turn, 10_000)
        time.sleep(float(line) * took)
        os.kill(child, 9)
        os.waitpid(child, 0)
        print("killed", flush=True)
"""


def nursery(home, what):
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    return subprocess.Popen([sys.executable, "-c", NURSERY, str(home), what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)


def answers(model, segmenter):
    return model.scores(model.read(segmenter.cut([LETTER.body])), model.head("category"))


def test_killed_at_any_moment_the_live_model_is_one_that_was_made_live(office, bases, segmenter, taxonomy):
    """50 kills of a child that saves, promotes and rolls back without end, within about one round of all that."""
    folder, chance = model_folder(office), random.Random(23)
    expected = {letter: answers(model, segmenter) for letter, model in bases.items()}
    lines = 1
    with nursery(office, "kill") as writer:
        assert writer.stdout.readline() == "ready\n"
        for _ in range(50):
            writer.stdin.write(f"{chance.uniform(0.0, 1.3)}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "killed\n"
            changes = history.read(folder)
            live = store.load(folder, store.current(folder))
            assert live.version == changes[-1].version
            assert np.array_equal(answers(live.model, segmenter), expected[live.version[0]])
            assert len(changes) >= lines
            lines = len(changes)
        writer.stdin.close()
    assert lines > 30, "the children were killed before they did anything"
    assert all(store.load(folder, version) for version in store.versions(folder))
    assert {change.version for change in changes} <= set(store.versions(folder))
    assert open_desk(office, taxonomy, segmenter).decide([LETTER])[0].model == live.version
    store.prune(folder, 2)
    assert rollback(office, taxonomy, segmenter, CLERK).previous == live.version


def test_eight_writers_at_once_are_put_in_order_and_no_reader_fails(office, segmenter, taxonomy):
    folder = model_folder(office)
    with nursery(office, "race") as writers:
        while writers.poll() is None:
            assert open_desk(office, taxonomy, segmenter).decide([LETTER])[0].model
        done = writers.stdout.read().splitlines()
    changes = history.read(folder)
    assert sorted(done) == sorted(f"{change.action} {change.version} {change.who} {change.why}" for change in changes[1:])
    assert len(changes) > 20
    assert store.current(folder) == changes[-1].version


def test_pruning_keeps_the_live_one_the_one_before_and_the_newest(folder):
    assert store.prune(folder, 1) == ["a-2"]
    assert store.versions(folder) == ["a-0", "b-1", "b-3"]


def test_the_live_model_and_its_predecessor_cannot_be_deleted(folder):
    assert store.prune(folder, 0) == ["a-2", "b-3"]
    assert store.load(folder, "b-1")
    assert store.prune(folder, 0) == []


def test_a_pruned_version_keeps_its_card(folder):
    before = store.card(folder, "a-2")
    store.prune(folder, 0)
    assert store.card(folder, "a-2") == before
    assert store.pruned(folder) == ["a-2", "b-3"]
    with pytest.raises(RefusedModelError, match="a-2"):
        store.load(folder, "a-2")


def test_pruning_sweeps_up_what_killed_programs_left_but_no_save_of_today(folder):
    for name in (".saving-old", ".saving-new", ".pruning-a-9"):
        (folder / name).mkdir()
        (folder / name / "weights.npy").write_bytes(b"half")
    long_ago = time.time() - 2 * store.ABANDONED
    os.utime(folder / ".saving-old", (long_ago, long_ago))
    store.prune(folder, 9)
    assert sorted(path.name for path in folder.glob(".*ing-*")) == [".saving-new"]


def test_without_a_live_model_nothing_is_pruned(folder):
    (folder / history.FILE).unlink()
    with pytest.raises(RefusedModelError, match="no model is live"):
        store.prune(folder, 0)


def test_to_keep_a_comparison_changes_nothing_else_on_the_card(folder):
    before = store.card(folder, "a-2")
    store.keep_comparison(folder, "a-2", {"live": "b-1"})
    assert store.load(folder, "a-2").card == before | {"comparison": {"live": "b-1"}}


@pytest.fixture
def run(office, monkeypatch):
    """`triage models ...` in an office where b-1 is live; standard output is a pipe."""
    monkeypatch.setenv("TRIAGE_HOME", str(office))

    def run(*words, status=0):
        done = CliRunner().invoke(commands.models_app, words)
        if isinstance(done.exception, TriageError):
            raise done.exception
        assert done.exit_code == status, done.output
        return json.loads(done.stdout)

    return run


def test_the_list_says_who_when_from_what_and_how_good(run, office, folder):
    rewrite_card(office, "b-1", sources=[{"name": "来信2026.xlsx"}], letters={"count": 420}, held_out={"category": {"accuracy": 0.91, "macro_f1": 0.88}})
    rows = run("list")
    assert [row["version"] for row in rows] == ["a-0", "a-2", "b-1", "b-3"]
    row = next(row for row in rows if row["live"])
    assert row == {
        "version": "b-1",
        "live": True,
        "problem": "",
        "live_since": row["live_since"],
        "by": "梁文书",
        "created": "2026-11-21T08:00:00+00:00",
        "sources": ["来信2026.xlsx"],
        "letters": 420,
        "accuracy": 0.91,
        "macro_f1": 0.88,
    }


def test_the_list_names_versions_that_cannot_be_used(run, office, folder):
    rewrite_card(office, "a-2", format=1)
    flip_a_bit(folder / "b-3" / store.CARD)
    problems = {row["version"]: row["problem"] for row in run("list")}
    assert problems["a-0"] == problems["b-1"] == ""
    assert "another release" in problems["a-2"]
    assert "card.json" in problems["b-3"]


def test_an_office_without_models_has_an_empty_list(run, monkeypatch, tmp_path):
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path / "none"))
    assert run("list") == []


def test_a_terminal_shows_the_list_as_a_table(folder, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "160")
    live, changes = store.current(folder), history.read(folder)
    commands._show_table([commands._row(folder, version, live, changes) for version in store.versions(folder)])
    shown = capsys.readouterr().out
    header, *lines = [line.split() for line in shown.splitlines()]
    assert header == ["版本", "训练时间", "来源", "来信", "准确率", "macro-F1", "上线时间", "经办人", "问题"]
    assert [line[:2] for line in lines if line[0] == "●"] == [["●", "b-1"]]
    assert "梁文书" in shown


def test_show_tells_a_versions_card_and_history_but_no_letters_words(run, folder):
    shown = run("show", "b-1")
    assert shown["live"]
    assert [(change["action"], change["why"]) for change in shown["history"]] == [(PROMOTE, "更准")]
    assert len(shown["golden"]) == 16
    assert not {"title", "body"} & set(shown["golden"][0])
    assert run("show", "live") == run("show", "b-1") == shown


def test_which_model_decided_is_answered_after_pruning(run, folder):
    store.prune(folder, 0)
    shown = run("show", "a-2")
    assert (shown["version"], shown["live"], shown["pruned"], shown["source"]) == ("a-2", False, True, "starter")


def test_promote_and_rollback_print_the_line_of_the_history(run, folder):
    with pytest.raises(ModelError, match="not compared"):
        run("promote", "a-2")
    promoted = run("promote", "a-2", "--force", "--why", "领导要求", "--by", "周明")
    assert (promoted["version"], promoted["from"], promoted["who"], promoted["why"], promoted["forced"]) == ("a-2", "b-1", "周明", "领导要求", True)
    back = run("rollback", "--why", "不准")
    assert (back["action"], back["version"], back["why"]) == (ROLLBACK, "b-1", "不准")
    assert back["who"]
    assert store.current(folder) == "b-1"


def test_bytes_that_are_no_text_do_not_stop_a_promotion(run, folder):
    assert run("promote", "a-2", "--force", "--why", "理由\udcff", "--by", "周\udcff")["why"] == "理由?"
    assert history.read(folder)[-1].who == "周?"


@pytest.mark.parametrize("command", [["show", "../../etc"], ["promote", "../../etc"], ["verify", "../../etc"], ["promote", "a-2", "--force"]])
def test_a_path_for_a_version_and_force_without_a_reason_are_input_errors(run, folder, command):
    with pytest.raises(InputError) as refused:
        run(*command)
    assert (refused.value.status, refused.value.exit_status) == (422, 4)


def test_verify_exits_with_5_when_any_model_fails(run, folder):
    assert all(row["sound"] for row in run("verify"))
    flip_a_bit(folder / "a-2" / "weights.npy")
    rows = run("verify", status=5)
    assert [row["version"] for row in rows if not row["sound"]] == ["a-2"]
    assert run("verify", "live") == [{"version": "b-1", "sound": True, "problem": ""}]


def test_prune_says_what_is_gone_and_what_is_left(run, folder):
    assert run("prune", "--keep", "1") == {"pruned": ["a-2"], "kept": ["a-0", "b-1", "b-3"]}


def test_every_command_of_models_has_a_help_in_both_languages():
    group = typer.main.get_command(commands.models_app)
    assert sorted(group.commands) == ["list", "promote", "prune", "rollback", "show", "verify"]
    for command in group.commands.values():
        chinese, _, english = command.help.partition(" / ")
        assert not chinese.isascii()
        assert english.isascii()
