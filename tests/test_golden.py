"""Golden letters: a model that decides otherwise on this machine than where it was made is refused, by the names of the letters."""

from dataclasses import replace

import numpy as np
import pytest
from offices import keep, nearest_mean, rewrite_card, small_model

from models import store
from models.calibration import Curve
from models.features import words
from models.weights import in_steps
from training.promote import golden_letters
from triage import golden
from triage.desk import model_folder, open_desk
from triage.errors import ModelError
from triage.letter import Letter

LETTERS = [
    Letter("施工队欠我们十二个人半年的工钱,一分没给", title="讨要工钱", id="g-1"),
    Letter("村里的地被征了,补偿款到现在没有到账", id="g-2"),
    Letter("连着三天停水,水厂电话没人接", id="g-3"),
]


@pytest.fixture(scope="module")
def model(starter, segmenter):
    return small_model(starter, segmenter)


@pytest.fixture
def card(model, segmenter):
    return {"golden": golden.decided(model, segmenter, LETTERS)}


def stored(model, card):
    return store.Stored("v1", model, card)


def test_a_card_keeps_each_letter_with_its_category_and_purpose(card):
    first = card["golden"][0]
    assert (first["id"], first["title"], first["body"], first["category"]) == ("g-1", "讨要工钱", LETTERS[0].body, "wages")
    assert first["purpose"] in {"appeal", "accusation", "suggestion", "inquiry"}
    assert 0.3 < first["probability"] == round(first["probability"], 6) <= 1
    assert [entry["category"] for entry in card["golden"]][:2] == ["wages", "land_expropriation"]


def test_a_model_that_decides_as_before_passes(model, segmenter, card):
    golden.check(stored(model, card), segmenter)


def test_a_model_that_was_never_asked_the_purpose_passes_without_one(model, segmenter):
    alone = replace(model, heads=model.heads[:1])
    card = {"golden": golden.decided(alone, segmenter, LETTERS)}
    assert {(entry["purpose"], entry["purpose_probability"]) for entry in card["golden"]} == {(None, None)}
    golden.check(stored(alone, card), segmenter)
    with pytest.raises(ModelError, match="3 of 3"):
        golden.check(stored(model, card), segmenter)


@pytest.mark.parametrize(
    "change",
    [{"probability": 0.5}, {"category": "utilities"}, {"category": "no such label"}, {"purpose_probability": 0.01}, {"body": "连着三天停电"}],
    ids=["probability", "label", "foreign label", "purpose", "letter"],
)
def test_only_the_letters_that_differ_are_named(model, segmenter, card, change):
    card["golden"][1] |= change
    with pytest.raises(ModelError, match=r"decides 1 of 3 golden letters .*\(g-2\)") as refused:
        golden.check(stored(model, card), segmenter)
    assert refused.value.kind == "model-selftest-failed"
    assert LETTERS[1].body not in str(refused.value)


@pytest.mark.parametrize(("moved", "passes"), [(0.9e-4, True), (1.2e-4, False)])
def test_a_probability_may_move_by_what_nobody_sees(model, segmenter, card, moved, passes):
    card["golden"][0]["probability"] -= moved
    if passes:
        golden.check(stored(model, card), segmenter)
    else:
        with pytest.raises(ModelError, match="g-1"):
            golden.check(stored(model, card), segmenter)


def test_a_tie_may_fall_either_way(model, segmenter):
    tied = replace(model, weights=in_steps(np.zeros((len(model.vocabulary), len(model.weights.units)), np.float32), np.zeros_like(model.weights.intercepts)))
    card = {"golden": golden.decided(tied, segmenter, LETTERS)}
    card["golden"][0]["category"] = model.heads[0].labels[-1]
    golden.check(stored(tied, card), segmenter)


def test_probabilities_that_are_no_numbers_differ(model, segmenter, card):
    broken = replace(model, heads=(replace(model.heads[0], curve=Curve(float("nan"))), *model.heads[1:]))
    with pytest.raises(ModelError, match="3 of 3"):
        golden.check(stored(broken, card), segmenter)


@pytest.mark.parametrize("entries", [None, [], "golden", [3], [{"id": "g-1"}]], ids=["none", "empty", "text", "number", "half"])
def test_a_card_without_golden_letters_is_refused(model, segmenter, entries):
    with pytest.raises(ModelError, match="no golden letters") as refused:
        golden.check(stored(model, {"golden": entries}), segmenter)
    assert refused.value.kind == "model-selftest-failed"


def test_a_model_of_own_labels_has_golden_letters_too(segmenter):
    model = nearest_mean(words([["补偿", "土地"], ["停水", "水厂"]]), {"category": ["甲类", "乙类"]})
    golden.check(stored(model, {"golden": golden.decided(model, segmenter, LETTERS)}), segmenter)


def test_the_desk_does_not_open_a_model_that_decides_otherwise(model, segmenter, taxonomy, tmp_path):
    keep(tmp_path, "v1", model, segmenter, LETTERS)
    store.make_current(model_folder(tmp_path), "v1")
    assert open_desk(tmp_path, taxonomy, segmenter).version == "v1"
    entries = golden.decided(model, segmenter, LETTERS)
    entries[2]["probability"] = 0.2
    rewrite_card(tmp_path, "v1", golden=entries)
    with pytest.raises(ModelError, match="g-3") as refused:
        open_desk(tmp_path, taxonomy, segmenter)
    assert (refused.value.exit_status, refused.value.kind) == (5, "model-selftest-failed")


def test_golden_letters_are_sixteen_short_ones_of_as_many_categories():
    letters = golden_letters()
    assert letters == golden_letters()
    assert len({letter.id.rsplit("-", 1)[0] for letter in letters}) == len(letters) == 16
    assert all(40 <= len(letter.text) <= 120 for letter in letters)
    assert {bool(letter.title) for letter in letters} == {True, False}
