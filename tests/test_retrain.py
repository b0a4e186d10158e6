"""An office with a live model retrains: compared, promoted, refused, rolled back, killed in the middle."""

import csv
import json
import os
import signal
import subprocess
import time

import pytest
from offices import FOUR, TRIAGE, triage, write

from models import history, store
from training.labelled import LabelledLetter
from triage.desk import model_folder, open_desk
from triage.letter import Letter

OWN = {"wages": "工钱", "land_expropriation": "征地", "utilities": "水电", "school_management": "学校"}


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def taxonomy_of(home):
    from triage import taxonomy

    return taxonomy.load(home)


def test_the_offices_categories_keep_what_the_file_lacks_from_the_starter_letters(office, some, tmp_path):
    file = write(tmp_path / "letters.csv", [item for item in some if item.category != "utilities"])
    made = json.loads(triage("train", file, "--no-search", "--json", home=office)[1])
    card = store.card(model_folder(office), made["version"])
    assert set(card["letters"]["by_category"]) == set(FOUR)
    assert made["compared_with"] == store.current(model_folder(office))
    assert set(card["comparison"]["recall"]) == set(FOUR) - {"utilities"}


def test_a_promoted_model_decides_and_one_step_goes_back(office, some, tmp_path, segmenter):
    live = store.current(model_folder(office))
    running = open_desk(office, taxonomy_of(office), segmenter)
    file = write(tmp_path / "letters.csv", some)
    made = json.loads(triage("train", file, "--no-search", "--json", home=office)[1])
    _, printed, _ = triage("models", "promote", made["version"], "--by", "刘敏", "--force", "--why", "试用一周", home=office)
    assert json.loads(printed)["who"] == "刘敏"
    assert json.loads(triage("classify", "包工头拖欠我们工钱半年了", home=office)[1])["model"] == made["version"]
    assert running.decide([Letter("包工头拖欠我们工钱半年了")])[0].model == live, "what runs keeps the version that it began with"
    triage("models", "rollback", "--why", "先退回", home=office)
    assert json.loads(triage("classify", "包工头拖欠我们工钱半年了", home=office)[1])["model"] == live
    assert [(change.action, change.why) for change in history.read(model_folder(office))][-2:] == [("promote", "试用一周"), ("rollback", "先退回")]


def test_a_poisoned_upload_is_not_promotable_without_force(office, some, tmp_path, segmenter):
    """A file that calls every unpaid wage a school matter; the frozen letters of the office say that the candidate is worse."""
    frozen = [LabelledLetter(Letter(item.letter.body + "请尽快处理。", title=item.letter.title, id=item.letter.id), item.category) for item in some]
    flipped = [
        LabelledLetter(Letter(item.letter.body + "特此反映。", title=item.letter.title), "school_management" if item.category == "wages" else item.category)
        for item in some
    ]
    live = store.current(model_folder(office))
    made = json.loads(triage("train", write(tmp_path / "poison.csv", flipped), "--starter", "0.01", "--no-search", "--json", home=office)[1])
    test = write(tmp_path / "frozen.csv", frozen)
    moved = tmp_path / "moved.csv"
    found = json.loads(triage("evaluate", test, "--model", made["version"], "--against", "live", "--keep", "--flips", moved, "--json", home=office)[1])
    assert found["comparison"]["recall"]["wages"]["worse"]
    assert found["would_move"] == len(rows_of(moved)) > 30
    assert {"拖欠工资"} == {row["标注类别"] for row in rows_of(moved) if row["新类别"] == "学校管理与收费"} & {"拖欠工资"}
    status, _, error = triage("models", "promote", made["version"], home=office, check=False)
    assert (status, "recall of 拖欠工资" in error) == (5, True)
    assert store.current(model_folder(office)) == live
    status, printed, _ = triage("models", "promote", made["version"], "--force", "--why", "演练", home=office)
    assert json.loads(printed)["forced"]
    assert "拖欠工资" in " ".join(json.loads(printed)["objections"])
    triage("models", "rollback", home=office)
    assert open_desk(office, taxonomy_of(office), segmenter).version == live


def test_too_few_new_letters_are_no_comparison(office, some, tmp_path):
    made = json.loads(triage("train", write(tmp_path / "old.csv", some), "--no-search", "--json", home=office)[1])
    status, _, error = triage("evaluate", tmp_path / "old.csv", "--model", made["version"], "--against", "live", home=office, check=False)
    assert status == 4
    assert "new to both models" in error


@pytest.mark.parametrize("moment", [1.5, 3.0, 5.0])
def test_a_training_run_killed_at_any_moment_leaves_the_live_model_as_it_was(moment, office, some, tmp_path, segmenter):
    live = store.current(model_folder(office))
    known = set(store.versions(model_folder(office)))
    file = write(tmp_path / "letters.csv", some, OWN)
    command = [TRIAGE, "train", file, "--no-search", "--list", tmp_path / "list.xlsx"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"TRIAGE_HOME": str(office)}, start_new_session=True
    ) as run:
        time.sleep(moment)
        os.killpg(run.pid, signal.SIGKILL)
    assert open_desk(office, taxonomy_of(office), segmenter).version == live
    for version in set(store.versions(model_folder(office))) - known:
        store.load(model_folder(office), version)
