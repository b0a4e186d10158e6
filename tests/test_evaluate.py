"""Figures of a model and of two models: held against scikit-learn, and against what must follow."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from models.calibration import Curve
from models.classifier import Head
from training import account, evaluate
from training.answers import aligned, relabelled
from training.evaluate import Answers
from training.labelled import LabelledLetter
from triage.letter import Letter

LABELS = ("wages", "noise", "roads")


def head(labels=LABELS, threshold=0.8, floor=0.2):
    return Head("category", labels, 0, Curve(), floor, (threshold,) * len(labels))


def drawn(n_letters, sharpness, seed=0, labels=LABELS):
    """Answers that are right the oftener the sharper they are."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, len(labels), n_letters)
    margins = np.random.default_rng(99).normal(size=(n_letters, len(labels))).astype(np.float32)
    margins[np.arange(n_letters), truth] += sharpness
    return Answers(labels, tuple(f"letter-{number}" for number in range(n_letters)), truth, Curve().probabilities(margins))


def test_figures_are_those_of_scikit_learn():
    said = drawn(500, 1.5)
    found = evaluate.scores(said, head())
    precision, recall, f1, letters = precision_recall_fscore_support(said.truth, said.first)
    assert found.accuracy == pytest.approx((said.first == said.truth).mean())
    assert found.macro_f1 == pytest.approx(f1_score(said.truth, said.first, average="macro"))
    for number, label in enumerate(LABELS):
        category = found.categories[label]
        assert (category.precision, category.recall, category.f1) == pytest.approx((precision[number], recall[number], f1[number]))
        assert category.letters == letters[number]
    assert np.sum(found.confusion) == 500


def test_letters_that_go_on_alone_are_counted_by_each_categorys_threshold():
    said = drawn(500, 2.0)
    sure = said.probabilities.max(axis=1) >= 0.8
    found = evaluate.scores(said, head())
    assert found.sent == pytest.approx(sure.mean())
    assert found.sent_precision == pytest.approx((said.first == said.truth)[sure].mean())
    assert evaluate.scores(said, head(threshold=2.0)).sent_precision is None


def test_the_right_label_must_be_a_candidate_to_be_covered():
    said = drawn(500, 1.0)
    held = said.probabilities[np.arange(500), said.truth] >= 0.2
    assert evaluate.scores(said, head()).coverage == pytest.approx(held.mean())


def test_a_category_the_model_does_not_know_is_never_right_and_never_covered():
    letters = [LabelledLetter(Letter("x", id=str(n)), category) for n, category in enumerate(["wages", "floods", "noise"])]
    chances = np.array([[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.1, 0.9, 0.0]], np.float32)
    found = evaluate.scores(aligned(LABELS, letters, chances), head(floor=0.0))
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.coverage == pytest.approx(2 / 3)
    assert found.categories["floods"].recall == 0


def test_reliability_and_precision_by_share_add_up():
    found = evaluate.scores(drawn(1000, 1.5), head())
    assert sum(letters for _, _, letters in found.reliability) == 1000
    assert found.precision_by_share[-1] == (1.0, pytest.approx(found.accuracy))
    assert found.precision_by_share[0][1] >= found.accuracy


def test_a_model_compared_with_itself_is_not_worse_in_anything():
    said = drawn(300, 1.5)
    found = evaluate.compare((said, head()), (said, head()), "v1")
    assert found.letters == 300
    for difference in (*found.overall.values(), *found.recall.values(), *found.precision.values()):
        assert (difference.difference, difference.low, difference.high, difference.worse) == (0, 0, 0, False)


def test_a_clearly_worse_model_is_worse_and_a_better_one_is_not():
    weak, strong = drawn(600, 0.8), drawn(600, 2.5)
    assert evaluate.compare((weak, head()), (strong, head()), "v1").overall["accuracy"].worse
    better = evaluate.compare((strong, head()), (weak, head()), "v1")
    assert not better.overall["accuracy"].worse
    assert better.overall["accuracy"].low > 0
    assert not better.overall["calibration_error"].worse or better.overall["calibration_error"].low > 0


def test_a_category_that_was_poisoned_shows_though_the_rest_is_as_good():
    live = drawn(900, 3.0)
    chances = live.probabilities.copy()
    poisoned = live.truth == 1
    chances[poisoned] = chances[poisoned][:, [1, 0, 2]]
    found = evaluate.compare((Answers(live.labels, live.ids, live.truth, chances), head()), (live, head()), "v1")
    assert found.recall["noise"].worse
    assert not found.recall["roads"].worse


def test_of_equal_models_few_are_called_worse():
    """The same model twice, with other luck: at the 95 % level one in forty may be called worse by chance."""
    called = 0
    for seed in range(12):
        chance = np.random.default_rng(seed)
        truth = chance.integers(0, 3, 250)
        luck = [chance.normal(size=(250, 3)).astype(np.float32) for _ in range(2)]
        for margins in luck:
            margins[np.arange(250), truth] += 1.5
        one, other = (Answers(LABELS, ("",) * 250, truth, Curve().probabilities(margins)) for margins in luck)
        called += evaluate.compare((one, head()), (other, head()), "v1", seed=seed).overall["accuracy"].worse
    assert called <= 2


def test_models_of_different_categories_are_laid_side_by_side():
    one, other = drawn(200, 2.0), drawn(200, 2.0, labels=("roads", "wages", "noise", "water"))
    ours, theirs = account.side_by_side(one, other)
    assert ours.labels == theirs.labels == ("wages", "noise", "roads", "water")
    assert [ours.labels[label] for label in ours.truth] == [one.labels[label] for label in one.truth]
    np.testing.assert_allclose(relabelled(ours, ours.labels).probabilities.sum(axis=1), 1, atol=1e-6)


def test_letters_that_would_change_department_are_listed_with_both(taxonomy):
    labels = ("wages", "labour_rights", "land_expropriation")
    live = Answers(labels, ("a", "b", "c"), np.array([0, 0, 2]), np.eye(3, dtype=np.float32)[[0, 0, 2]])
    candidate = Answers(labels, ("a", "b", "c"), np.array([0, 0, 2]), np.eye(3, dtype=np.float32)[[1, 2, 2]])
    (moved,) = evaluate.flips(candidate, live, taxonomy)
    assert (moved.id, moved.live_category, moved.category, moved.truth) == ("b", "拖欠工资", "征地补偿安置", "拖欠工资")
    assert moved.live_department != moved.department


def test_where_the_taxonomy_has_no_departments_for_the_categories_a_change_of_category_is_listed(taxonomy):
    one, other = (Answers(("甲类", "乙类"), ("a",), np.array([0]), np.eye(2, dtype=np.float32)[[label]]) for label in (0, 1))
    (moved,) = evaluate.flips(one, other, taxonomy)
    assert (moved.live_category, moved.category, moved.department) == ("乙类", "甲类", "")


def test_no_letters_cannot_be_measured():
    with pytest.raises(ValueError, match="no letters"):
        evaluate.scores(aligned(LABELS, [], np.empty((0, 3), np.float32)), head())
