"""Staff's files to a candidate, its figures, its files to look at, and its way to live: through the command line, in an office of their own."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from offices import FOUR, TRIAGE, office_of, triage, write

from models import store
from models.disk import locked
from training import retrain, train
from training.labelled import LabelledLetter, read_labelled
from triage.desk import model_folder
from triage.letter import Letter

OWN = {"wages": "工钱", "land_expropriation": "征地", "utilities": "水电", "school_management": "学校"}


@pytest.fixture
def new_office(tmp_path):
    return office_of(tmp_path / "office")


@pytest.fixture(scope="module")
def own(some, tmp_path_factory):
    """A model of the file's own four categories, in a new office: (home, what `triage train --json` printed, the test letters' file)."""
    folder = tmp_path_factory.mktemp("own")
    mixed = random.Random(3).sample(some, len(some))
    file, test = write(folder / "letters.csv", mixed[:180], OWN), write(folder / "more.csv", mixed[180:], OWN)
    home = office_of(folder / "office")
    return home, json.loads(triage("train", file, "--json", home=home)[1]), test


def test_a_file_with_categories_of_its_own_trains_and_evaluates(own):
    home, made, test = own
    found = json.loads(triage("evaluate", test, "--model", made["version"], "--json", home=home)[1])
    assert {"accuracy", "macro_f1", "letters"} <= set(found)
    assert found["letters"] == 60
    assert found["accuracy"] > 0.85
    assert set(found["categories"]) == set(OWN.values())
    assert found["learned_from"] == 0


def test_the_candidate_is_saved_beside_the_live_model_and_says_what_it_was_made_of(own):
    home, made, _ = own
    assert store.current(model_folder(home)) is None
    card = store.card(model_folder(home), made["version"])
    (source,) = card["sources"]
    assert (source["name"], source["rows"], source["used"]) == ("letters.csv", 180, 180)
    assert card["letters"]["by_category"]["工钱"] == Counter(row["类别"] for row in rows_of(home.parent / "letters.csv"))["工钱"]
    assert {"accuracy", "macro_f1", "calibration_error"} <= set(card["held_out"]["category"])
    assert card["options"]["precision"] == 0.95
    assert len(card["golden"]) == 16


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_letters_it_learned_from_are_known_again_but_cannot_be_read_from_the_model(own):
    home, made, _ = own
    found = json.loads(triage("evaluate", home.parent / "letters.csv", "--model", made["version"], "--json", home=home)[1])
    assert found["learned_from"] == 180
    words = rows_of(home.parent / "letters.csv")[0]["正文"][:20]
    for path in (model_folder(home) / made["version"]).iterdir():
        assert words.encode() not in path.read_bytes()


def test_a_report_to_look_at_and_a_list_to_correct_are_written(own):
    home, made, _ = own
    page = Path(made["report"]).read_text("utf-8")
    assert made["version"] in page
    assert all(name in page for name in OWN.values())
    listed = read_labelled([Path(made["list"])], taxonomy_of(home))
    assert len(listed.letters) == 180
    assert Path(made["list"]) == (home.parent / "letters.checked.xlsx").resolve()


def taxonomy_of(home):
    from triage import taxonomy

    return taxonomy.load(home)


def test_a_model_of_categories_without_departments_is_not_promoted_forced_or_not(own):
    home, made, _ = own
    for force in ([], ["--force", "--why", "试用"]):
        status, _, error = triage("models", "promote", made["version"], *force, home=home, check=False)
        assert status in {2, 5}
        assert "is not in categories.toml" in error
    assert store.current(model_folder(home)) is None


def test_the_same_file_and_seed_give_the_same_arrays(own, tmp_path):
    home, made, _ = own
    again = json.loads(triage("train", home.parent / "letters.csv", "--list", tmp_path / "list.xlsx", "--json", home=home)[1])
    one, other = (store.card(model_folder(home), version)["files"] for version in (made["version"], again["version"]))
    assert one == other


def test_train_with_promote_makes_the_first_model_of_an_office_live(new_office, some, tmp_path):
    made = json.loads(triage("train", write(tmp_path / "letters.csv", some), "--no-search", "--promote", "--json", home=new_office)[1])
    assert made["promoted"]
    assert store.current(model_folder(new_office)) == made["version"]


def test_refused_rows_stand_beside_the_input_and_the_rest_trains(tmp_path, some, new_office):
    file = write(tmp_path / "letters.csv", some[:40] + some[60:100])
    with file.open("a", encoding="utf-8", newline="") as more:
        more.write("x1,,没有类别的一封信在这里,\r\nx2,,写错类别的一封信在这里,拖欠工姿\r\n")
    status, printed, error = triage("check", file, "--json", home=new_office)
    assert status == 3
    assert json.loads(printed)["refused"] == 2
    assert "letters.refused.csv" in error
    reasons = [row["原因"] for row in rows_of(tmp_path / "letters.refused.csv")]
    assert any("拖欠工资" in reason for reason in reasons)
    assert not (new_office / "models").exists()


def test_only_one_training_run_at_a_time(tmp_path, some, new_office):
    home = new_office
    (home / ".training").mkdir()
    file = write(tmp_path / "letters.csv", some[:30] + some[60:90])
    with locked(home / ".training"):
        status, _, error = triage("train", file, home=home, check=False)
    assert status == 7
    assert "another training run" in error


def test_two_letters_a_category_are_enough_and_all_go_to_a_person(tmp_path, some, new_office):
    few = [item for code in FOUR for item in [one for one in some if one.category == code][:2]]
    made = json.loads(triage("train", write(tmp_path / "few.csv", few, OWN), "--json", home=new_office)[1])
    assert made["letters"] == 8
    assert made["sent"] == 0
    assert any("来信太少" in sentence for sentence in made["findings"])


def test_one_category_is_refused_in_plain_words(tmp_path, some, new_office):
    status, _, error = triage("train", write(tmp_path / "one.csv", some[:20], OWN), home=new_office, check=False)
    assert status == 4
    assert "at least two categories" in error


def test_a_category_without_two_letters_that_differ_is_left_out_and_named(tmp_path, some, new_office):
    letters = [*some[:20], *some[60:80]]
    lonely = write(tmp_path / "lonely.csv", letters, OWN)
    with lonely.open("a", encoding="utf-8", newline="") as more:
        more.write("z1,,河堤边的路灯坏了半年一直没人修理,路灯\r\n")
    made = json.loads(triage("train", lonely, "--json", home=new_office)[1])
    assert any("left out" in note for note in made["notes"])
    assert any("路灯" in sentence for sentence in made["findings"])
    listed = read_labelled([Path(made["list"])], taxonomy_of(tmp_path))
    assert "路灯" in {item.category for item in listed.letters}


def test_more_letters_than_can_be_learned_from_are_drawn_evenly(taxonomy):
    letters = tuple(LabelledLetter(Letter(f"{label}{number}"), label) for label, size in (("a", 70), ("b", 25), ("c", 5)) for number in range(size))
    drawn = train._drawn(letters, 0, most=50)
    sizes = Counter(item.category for item in drawn)
    assert sizes["c"] == 5
    assert sizes["b"] in {22, 23}
    assert len(drawn) <= 50
    assert [item.letter.body for item in drawn] == sorted((item.letter.body for item in drawn), key=[item.letter.body for item in letters].index)


def test_what_does_not_fit_into_memory_is_said(segmenter, some):
    class Endless(list):
        def __getitem__(self, at):
            raise MemoryError

    lesson = train.Lesson(tuple(some), len(some), np.arange(len(some)), train.STARTER)
    object.__setattr__(lesson, "letters", Endless(some))
    with pytest.raises(train.StorageError, match="do not fit into this machine's memory"):
        train.learn(lesson, segmenter, train.Options(), lambda *_: None)


def test_a_live_model_that_cannot_be_read_is_said_and_not_compared_with(home, tmp_path, taxonomy, segmenter):
    folder = Path(shutil.copytree(home, tmp_path / "office"))
    version = store.current(model_folder(folder))
    (model_folder(folder) / version / "idf.npy").write_bytes(b"")
    live, notes = retrain._live(retrain.Office(folder, taxonomy, segmenter))
    assert live is None
    assert "not compared" in notes[0]


def test_an_interrupted_training_run_ends_at_once_and_leaves_no_half_model(new_office, some, tmp_path):
    file = write(tmp_path / "letters.csv", some, OWN)
    with subprocess.Popen([TRIAGE, "train", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"TRIAGE_HOME": str(new_office)}) as run:
        time.sleep(2.5)
        start = time.monotonic()
        run.send_signal(signal.SIGINT)
        _, error = run.communicate(timeout=20)
    assert time.monotonic() - start < 15  # a second here; a shared machine may be slow
    assert run.returncode != 0
    assert b"Traceback" not in error
    assert store.versions(model_folder(new_office)) == []


def test_nothing_of_a_letter_reaches_the_terminal(tmp_path, some, new_office):
    file = write(tmp_path / "letters.csv", some[:30] + some[60:90], OWN)
    _, printed, error = triage("train", file, "--json", home=new_office)
    for item in some[:30] + some[60:90]:
        assert item.letter.body[:16] not in printed + error
