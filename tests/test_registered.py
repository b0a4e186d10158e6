"""What staff corrected in the register is learned from."""

import pytest
from registers import KEY, put

from api import training
from training.labelled import read_labelled
from training.registered import with_register
from training.retrain import Office
from triage.errors import InputError
from triage.letter import Letter
from triage.register import book
from triage.register.labels import Said
from triage.register.verdicts import Correction, correct


def table(path, rows):
    path.write_text("\n".join(["category,body", *(f"{category},{body}" for category, body in rows)]), "utf-8")
    return path


@pytest.fixture
def labelled(tmp_path, taxonomy):
    return read_labelled([table(tmp_path / "letters.csv", [("wages", "包工头欠薪不给"), ("utilities", "小区停水三天")])], taxonomy)


def said(text, category, purpose=""):
    return Said(Letter(text, id="x", sender="P-7"), category, purpose, "register letter x")


def test_corrected_letters_stand_behind_those_of_the_files_with_their_weight(labelled, taxonomy):
    found = with_register(labelled, [said("村里的路烂了", "wages", "appeal"), said("停电", "utilities", "unknown")], taxonomy, 2.0)
    assert found.letters[:2] == labelled.letters
    assert [(item.category, item.purpose, item.weight, item.writer) for item in found.letters[2:]] == [
        ("wages", "appeal", 2.0, "P-7"),
        ("utilities", "", 2.0, "P-7"),
    ]
    assert (found.sources[-1].name, found.sources[-1].rows, found.sources[-1].used) == ("register", 2, 2)


def test_what_is_known_already_or_has_no_category_today_is_left_out(labelled, taxonomy):
    found = with_register(labelled, [said("小区停水三天", "utilities"), said("甲乙丙丁", "gone"), said(" ", "wages")], taxonomy, 1.0)
    assert found.letters == labelled.letters
    assert (found.sources[-1].used, found.sources[-1].repeats) == (0, 3)


def test_files_with_categories_of_their_own_cannot_be_mixed_with_the_register(tmp_path, taxonomy):
    own = read_labelled([table(tmp_path / "own.csv", [("甲类", "包工头欠薪不给"), ("乙类", "小区停水三天")])], taxonomy)
    with pytest.raises(InputError, match="--register"):
        with_register(own, [], taxonomy, 1.0)


def test_training_reads_the_offices_register(tmp_path, labelled, taxonomy, segmenter, monkeypatch):
    register = book.open_register(tmp_path, text_keys=KEY)
    correct(register, put(register, "村里的路烂了五年", code="utilities"), Correction("王科员", category="wages"), taxonomy)
    register.close()
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))
    monkeypatch.setenv("TRIAGE_TEXT_KEY", KEY)
    found = training._with_register(labelled, Office(tmp_path, taxonomy, segmenter), 2.0)
    assert [(item.letter.body, item.category, item.weight) for item in found.letters[2:]] == [("村里的路烂了五年", "wages", 2.0)]
    assert any("1 letters that persons corrected" in note for note in found.notes)
