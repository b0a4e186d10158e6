"""Promote and roll back: a worse model does not go live unnoticed, a broken one never, and one step goes back."""

import json
import shutil
from dataclasses import replace

import pytest
from offices import CODES, flip_a_bit, keep, rewrite_card, small_model

from models import history, store
from training.promote import Asked, find, golden_letters, objections, promote, rollback, verify
from triage.desk import model_folder, open_desk
from triage.errors import InputError, ModelError, StorageError, TaxonomyError
from triage.letter import Letter
from triage.tokens import Segmenter

CLERK = Asked("梁文书", "试用三天")
FORCED = Asked("梁文书", "旧模型有错", force=True)
SAME = {"candidate": 0.8, "live": 0.8, "difference": 0.0, "low": -0.02, "high": 0.02, "worse": False}
WORSE = {"candidate": 0.6123, "live": 0.8, "difference": -0.1877, "low": -0.25, "high": -0.12, "worse": True}


def comparison(live, *, overall=(), recall=(), precision=()):
    return {
        "live": live,
        "letters": 500,
        "overall": {"accuracy": SAME, "macro_f1": SAME, "calibration_error": SAME} | dict(overall),
        "recall": dict.fromkeys(CODES, SAME) | dict(recall),
        "precision": dict.fromkeys(CODES, SAME) | dict(precision),
    }


@pytest.fixture(scope="module")
def model(starter, segmenter):
    return small_model(starter, segmenter)


@pytest.fixture(scope="module")
def fewer(starter, segmenter):
    return small_model(starter, segmenter, CODES[:2])


@pytest.fixture(scope="module")
def prepared(model, segmenter, tmp_path_factory):
    """v1, v2, v3; nothing is live."""
    home = tmp_path_factory.mktemp("prepared")
    for version in ("v1", "v2", "v3"):
        keep(home, version, model, segmenter, golden_letters())
    return home


@pytest.fixture
def office(prepared, tmp_path):
    """The prepared office with v1 live; v2 was compared with v1, v3 never was."""
    home = shutil.copytree(prepared, tmp_path / "office")
    store.make_current(model_folder(home), "v1", who="init")
    store.keep_comparison(model_folder(home), "v2", comparison("v1"))
    return home


@pytest.fixture
def ask(taxonomy, segmenter):
    def ask(change, home, *words, asked=CLERK):
        return change(home, *words, taxonomy, segmenter, asked)

    return ask


def live(home):
    return store.current(model_folder(home))


def card_of(labels, model, **card):
    head = replace(model.heads[0], labels=labels)
    return store.Stored("new", replace(model, heads=(head, *model.heads[1:])), card)


def test_a_candidate_that_is_not_worse_goes_live(office, ask):
    change = ask(promote, office, "v2")
    assert change.as_dict() == {
        "action": "promote",
        "version": "v2",
        "from": "v1",
        "when": change.when,
        "who": "梁文书",
        "why": "试用三天",
        "forced": False,
        "objections": (),
    }
    assert live(office) == "v2"


def test_the_first_model_of_an_office_is_compared_with_nothing(prepared, tmp_path, ask):
    home = shutil.copytree(prepared, tmp_path / "office")
    assert ask(promote, home, "v3").previous is None
    assert live(home) == "v3"


@pytest.mark.parametrize(
    ("compared", "says"),
    [
        (None, "not compared with the live model v1; run `triage evaluate FILE --model new --against live --keep`"),
        (comparison("v0"), "not compared with the live model v1"),
        (comparison("v1", overall={"accuracy": WORSE}.items()), "accuracy 0.612 instead of 0.800 (difference -0.188, between -0.250 and -0.120)"),
        (comparison("v1", overall={"macro_f1": WORSE}.items()), "macro_f1 0.612 instead of 0.800"),
        (comparison("v1", recall={"wages": WORSE}.items()), "recall of 拖欠工资 (wages) 0.612 instead of 0.800"),
        (comparison("v1", recall={"own": WORSE}.items()), "recall of own 0.612 instead of 0.800"),
    ],
)
def test_what_is_worse_is_said_with_its_figures(model, taxonomy, compared, says):
    (objection,) = objections(card_of(CODES, model, comparison=compared), store.Stored("v1", model, {}), taxonomy)
    assert says in objection


@pytest.mark.parametrize("kind", ["precision", "overall"])
def test_what_decides_nothing_is_no_objection(model, taxonomy, kind):
    """Precision falls when recall rises; how probabilities are calibrated is judged by eye."""
    compared = comparison("v1", **{kind: {"wages" if kind == "precision" else "calibration_error": WORSE}.items()})
    assert objections(card_of(CODES, model, comparison=compared), store.Stored("v1", model, {}), taxonomy) == []


def test_a_category_in_use_may_not_get_lost(model, fewer, taxonomy):
    candidate = store.Stored("v2", fewer, {"comparison": comparison("v1")})
    (objection,) = objections(candidate, store.Stored("v1", model, {}), taxonomy)
    assert objection == "lacks 1 categories in use: 供水供电供气供热 (utilities)"


def test_a_category_that_the_taxonomy_gave_up_is_no_loss(model, fewer, taxonomy):
    without = replace(taxonomy, categories={code: category for code, category in taxonomy.categories.items() if code != "utilities"})
    assert objections(store.Stored("v2", fewer, {"comparison": comparison("v1")}), store.Stored("v1", model, {}), without) == []


def test_every_unknown_category_and_department_is_named(model, taxonomy):
    homeless = replace(taxonomy, departments={code: unit for code, unit in taxonomy.departments.items() if code != taxonomy.categories["wages"].lead})
    found = objections(card_of(("wages", "甲类", "乙类"), model), None, homeless)
    assert found == [
        'category "甲类" is not in categories.toml',
        'category "乙类" is not in categories.toml',
        f'category "wages" goes to department "{taxonomy.categories["wages"].lead}", which is not in departments.toml',
    ]


def test_a_refusal_lists_all_objections_and_changes_nothing(office, ask):
    store.keep_comparison(model_folder(office), "v2", comparison("v1", overall={"accuracy": WORSE}.items(), recall={"wages": WORSE}.items()))
    before = (model_folder(office) / history.FILE).read_bytes()
    with pytest.raises(ModelError, match=r"2 objections: \(1\) accuracy .*; \(2\) recall of .*--force --why") as refused:
        ask(promote, office, "v2")
    assert (refused.value.kind, refused.value.status, refused.value.exit_status) == ("not-promotable", 409, 5)
    assert (model_folder(office) / history.FILE).read_bytes() == before


def test_force_needs_a_reason(office, ask):
    with pytest.raises(InputError, match="--why"):
        ask(promote, office, "v3", asked=Asked("梁文书", " ", force=True))
    assert live(office) == "v1"


def test_a_forced_promotion_keeps_reason_and_objections(office, ask):
    ask(promote, office, "v3", asked=FORCED)
    kept = json.loads((model_folder(office) / history.FILE).read_text("utf-8").splitlines()[-1])
    assert (kept["version"], kept["who"], kept["why"], kept["forced"]) == ("v3", "梁文书", "旧模型有错", True)
    assert "not compared" in kept["objections"][0]


def test_force_without_objections_is_not_recorded_as_force(office, ask):
    assert not ask(promote, office, "v2", asked=FORCED).forced


def damaged(home):
    flip_a_bit(model_folder(home) / "v2" / "weights.npy")


def half_gone(home):
    (model_folder(home) / "v2" / "idf.npy").unlink()


def deciding_otherwise(home):
    entries = store.card(model_folder(home), "v2")["golden"]
    entries[4]["probability"] /= 2
    rewrite_card(home, "v2", golden=entries)


def of_another_dictionary(home):
    rewrite_card(home, "v2", dictionary="0" * 64)


def of_another_reading(home):
    rewrite_card(home, "v2", reads={"normalise": 99})


def of_another_release(home):
    rewrite_card(home, "v2", format=1)


BROKEN = [damaged, half_gone, deciding_otherwise, of_another_dictionary, of_another_reading, of_another_release]


@pytest.mark.parametrize("break_it", BROKEN)
@pytest.mark.parametrize("asked", [CLERK, FORCED], ids=["asked", "forced"])
def test_what_the_desk_could_not_open_never_goes_live(office, ask, break_it, asked, taxonomy, segmenter):
    break_it(office)
    with pytest.raises(ModelError, match="v2"):
        ask(promote, office, "v2", asked=asked)
    assert live(office) == "v1"
    assert open_desk(office, taxonomy, segmenter).decide([Letter("老板欠我们三个月工资不给")])[0].model == "v1"


def test_a_model_whose_labels_the_taxonomy_lacks_is_refused_even_with_force(office, taxonomy, segmenter):
    fewer = replace(taxonomy, categories={code: category for code, category in taxonomy.categories.items() if code != "utilities"})
    with pytest.raises(TaxonomyError, match='"utilities"'):
        promote(office, "v2", fewer, segmenter, FORCED)
    assert live(office) == "v1"


def test_a_live_model_that_cannot_be_read_can_be_replaced_with_a_reason(office, ask):
    flip_a_bit(model_folder(office) / "v1" / "weights.npy")
    with pytest.raises(ModelError, match="the live model v1 cannot be read"):
        ask(promote, office, "v2")
    assert ask(promote, office, "v2", asked=FORCED).previous == "v1"


@pytest.mark.parametrize(
    ("version", "error", "kind", "status"),
    [
        ("v1", ModelError, "already-live", 409),
        ("live", ModelError, "already-live", 409),
        ("v9", ModelError, "unknown-model", 404),
        ("v", ModelError, "unknown-model", 404),
        ("../../etc", InputError, "invalid-input", 422),
        ("a/b", InputError, "invalid-input", 422),
        ("..\\v2", InputError, "invalid-input", 422),
        (".saving-v2", InputError, "invalid-input", 422),
        ("", InputError, "invalid-input", 422),
        ("v2\n", InputError, "invalid-input", 422),
        ("ｖ２", InputError, "invalid-input", 422),
        ("v" * 65, InputError, "invalid-input", 422),
    ],
)
def test_only_a_known_version_that_is_not_live_can_go_live(office, ask, version, error, kind, status):
    with pytest.raises(error) as refused:
        ask(promote, office, version)
    assert (refused.value.kind, refused.value.status) == (kind, status)
    assert live(office) == "v1"


def test_a_deleted_or_a_pruned_version_cannot_go_live(office, ask, taxonomy, segmenter):
    shutil.rmtree(model_folder(office) / "v3")
    with pytest.raises(ModelError, match='"v3" is not known'):
        ask(promote, office, "v3")
    assert store.prune(model_folder(office), 0) == ["v2"]
    with pytest.raises(ModelError, match="was pruned") as refused:
        ask(promote, office, "v2")
    assert (refused.value.kind, refused.value.status) == ("pruned-model", 409)


def test_a_version_is_found_by_its_beginning(office, segmenter, model):
    keep(office, "2026-11-22T08-15-30Z-13c2", model, segmenter, golden_letters())
    assert find(office, "2026-11") == "2026-11-22T08-15-30Z-13c2"
    assert find(office, "live") == "v1"
    with pytest.raises(ModelError, match='"v" begins 3 versions'):
        find(office, "v")


def test_nothing_is_live_in_a_new_office(tmp_path):
    with pytest.raises(ModelError, match='"live" is not known'):
        find(tmp_path, "live")


def test_roll_back_goes_back_step_by_step(office, ask, taxonomy, segmenter):
    ask(promote, office, "v2")
    ask(promote, office, "v3", asked=FORCED)
    assert [ask(rollback, office).version for _ in range(2)] == ["v2", "v1"]
    assert open_desk(office, taxonomy, segmenter).version == "v1"
    with pytest.raises(ModelError, match="no model was live before") as refused:
        ask(rollback, office)
    assert (refused.value.kind, refused.value.status, refused.value.exit_status) == ("no-predecessor", 409, 5)
    assert live(office) == "v1"


def test_after_a_roll_back_the_next_one_knows_only_what_was_live_in_between(office, ask):
    ask(promote, office, "v2")
    ask(rollback, office)
    ask(promote, office, "v3", asked=FORCED)
    assert ask(rollback, office).as_dict() | {"when": ""} == {
        "action": "rollback",
        "version": "v1",
        "from": "v3",
        "when": "",
        "who": "梁文书",
        "why": "试用三天",
        "forced": False,
        "objections": (),
    }


def test_roll_back_works_while_the_live_model_is_broken(office, ask):
    ask(promote, office, "v2")
    damaged(office)
    assert ask(rollback, office).version == "v1"


def test_roll_back_to_a_broken_model_is_refused(office, ask):
    ask(promote, office, "v2")
    flip_a_bit(model_folder(office) / "v1" / "keys.npy")
    with pytest.raises(ModelError, match=r"keys\.npy"):
        ask(rollback, office)
    assert live(office) == "v2"


def test_an_office_of_an_earlier_release_is_taken_over_and_can_be_rolled_back_to(prepared, tmp_path, ask):
    home = shutil.copytree(prepared, tmp_path / "office")
    (model_folder(home) / "current").write_text("v1\n")
    assert live(home) == "v1"
    with pytest.raises(ModelError, match="no model was live before"):
        ask(rollback, home)
    ask(promote, home, "v2", asked=FORCED)
    assert (live(home), (model_folder(home) / "current").exists()) == ("v2", False)
    assert ask(rollback, home).version == "v1"


def test_a_damaged_history_stops_promotion_and_roll_back(office, ask, taxonomy, segmenter):
    (model_folder(office) / history.FILE).write_bytes(b'{"action": "prom')
    for attempt in (lambda: ask(promote, office, "v2", asked=FORCED), lambda: ask(rollback, office), lambda: open_desk(office, taxonomy, segmenter)):
        with pytest.raises(ModelError, match=r"history\.jsonl line 1: .*never guessed.*backup"):
            attempt()


def test_a_folder_that_is_none_is_a_storage_error(tmp_path, ask):
    (tmp_path / "office").mkdir()
    (tmp_path / "office" / "models").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="TRIAGE_HOME"):
        ask(rollback, tmp_path / "office")


def test_verify_gives_the_model_that_it_looked_at(office, taxonomy, segmenter, tmp_path):
    assert verify(office, "v2", taxonomy, segmenter).version == "v2"
    dictionary = tmp_path / "dictionary.txt"
    dictionary.write_text("云岭湾新区 50\n", "utf-8")
    with pytest.raises(ModelError, match="another dictionary"):
        verify(office, "v2", taxonomy, Segmenter(dictionary))
