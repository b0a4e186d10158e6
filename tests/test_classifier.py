"""The classifier, how it is learned, and what it says of itself."""

import numpy as np
import pytest

from models import learning, linear, search
from models.choice import likely
from models.classifier import judgements
from models.features import words
from models.judging import judge
from models.learning import Question
from models.linear import Settings

BATCH = [["拖欠", "工资", "包工头"], ["工资", "一分", "没给"], ["征地", "补偿", "款"], ["土地", "征收", "补偿"], ["小区", "物业"], ["物业", "收费"]] * 4
LABELS = ["wages", "wages", "land", "land", "property", "property"] * 4
PLAIN = Settings(cost=1.0, emphasis=0.0, balance=0.0, bayes=0.4)


def reader(batch):
    return lambda at: words(batch[at])


def fit(batch, labels, *, seed=1, told=None, settings=PLAIN, **question):
    asked = [Question("category", labels, settings=settings, **question)]
    return learning.fit(reader(batch), asked, np.arange(len(batch)), options=learning.Options(seed=seed), told=told)


@pytest.fixture(scope="module")
def fitted():
    return fit(BATCH, LABELS)


def test_margins_are_a_blend_of_scikit_learns_own(fitted):
    from sklearn.naive_bayes import ComplementNB
    from sklearn.svm import LinearSVC

    model = fitted.model
    reading = model.read(words(BATCH))
    rows, _ = learning._rows(reader(BATCH), len(BATCH), model.vocabulary, lambda _: None)
    numbers = [model.head("category").labels.index(label) for label in LABELS]
    svm = LinearSVC(C=1.0, tol=linear.TOLERANCE, random_state=1).fit(rows.astype(float), numbers).decision_function(rows)
    bayes = ComplementNB(alpha=linear.SMOOTHING).fit(rows, numbers).predict_joint_log_proba(rows)
    centred = [margins - margins.mean(axis=1, keepdims=True) for margins in (svm, bayes)]
    shares = np.linalg.lstsq(np.stack([margins.ravel() for margins in centred], axis=1), reading.margins.ravel(), rcond=None)
    assert shares[1][0] < 0.01 * (reading.margins**2).sum()
    assert min(shares[0]) > 0


def test_scores_sum_to_one(fitted):
    model = fitted.model
    scores = model.scores(model.read(words([*BATCH, [], ["从没见过"]])), model.head("category"))
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_an_unknown_letter_is_known_to_be_unknown(fitted):
    model = fitted.model
    assert model.read(words([["从没", "见过"]])).known[0] == 0
    assert model.read(words([["工资", "没给"]])).known[0] > 0


def test_why_adds_up_with_the_margin(fitted):
    model, batch = fitted.model, words([BATCH[0]])
    reading, head = model.read(batch), model.head("category")
    judged = judgements(judge(batch.arrays, model.asked(head, np.arange(len(head.labels)), limit=4_000)), batch.codes, len(model.heads))[0]
    unit, label = head.curve.scale / float(reading.margins[0].std()) ** head.curve.power, judged.candidates[judged.chosen][0]
    moved = float(reading.margins[0, label] - model.weights.intercepts[label]) * unit
    assert sum(judged.moves) == pytest.approx(moved, abs=0.05)


@pytest.mark.parametrize("floor", [0.0, 0.2, 0.999])
def test_a_judgement_says_what_the_scores_say(fitted, floor):
    model, batch = fitted.model, words([*BATCH, []])
    question, probabilities = model.asked(model.head("category"), np.arange(3))._replace(floor=floor), model.read(batch).probabilities
    judged = judgements(judge(batch.arrays, question), batch.codes, len(model.heads))
    for one, chances in zip(judged, probabilities, strict=True):
        order = sorted(range(3), key=lambda label, chances=chances: -chances[label])
        told = [(label, pytest.approx(chances[label], abs=6e-5)) for label in order]
        assert one.candidates == [scored for scored in told if chances[scored[0]] >= floor or scored[0] == order[0]]
        assert (one.chosen, one.runner_up, one.best) == (0, told[1], [told[0]])
    assert judged[-1].terms == judged[-1].moves == []


def test_who_is_chosen_is_a_candidate_whatever_its_probability():
    out = np.empty(4, np.int64)
    chances = np.array([0.30, 0.35, 0.05, 0.30], np.float32)
    for floor, chosen, told in ((0.2, 1, [1, 0, 3]), (0.2, 2, [1, 0, 3, 2]), (0.32, 3, [1, 3]), (0.9, 0, [0])):
        assert out[: likely(chances, floor, chosen, out)].tolist() == told


def test_what_most_letters_have_stands_first(fitted):
    vocabulary = fitted.model.vocabulary
    for part in (vocabulary.idf[: vocabulary.first_word], vocabulary.idf[vocabulary.first_word :]):
        assert np.all(np.diff(part) >= 0)


def test_what_is_held_out_comes_with_the_model(fitted):
    held = fitted.held_out["category"]
    assert (held.probabilities.argmax(axis=1) == held.truth).all()
    assert held.letters.tolist() == list(range(len(BATCH)))
    assert held.settings == PLAIN


def test_a_letter_that_a_question_is_not_asked_of_teaches_it_nothing():
    labels = [*LABELS, "", ""]
    found = learning.fit(reader([*BATCH, ["停水"], ["停电"]]), [Question("category", labels, settings=PLAIN)], np.arange(len(labels)))
    assert "停水" not in found.terms
    assert found.held_out["category"].letters.tolist() == list(range(len(LABELS)))


def test_terms_read_as_they_stand_in_the_letters(fitted):
    assert {"工资", "拖欠工资", "征"} <= set(fitted.terms)
    assert len(fitted.terms) == len(fitted.model.vocabulary)


def test_a_letter_of_more_weight_counts_more():
    batch, labels = [["停水", "停电"]] * 8, ["water", "power"] * 4
    chances = []
    for weight in (1.0, 9.0):
        model = fit([*batch, ["甲"], ["乙"]], [*labels, "water", "power"], weights=[weight, 1.0] * 4 + [1.0, 1.0]).model
        chances.append(model.read(words(batch[:1])).margins[0])
    assert chances[1][0] - chances[1][1] > chances[0][0] - chances[0][1]


@pytest.mark.parametrize("n_labels", [2, 3, 20])
def test_two_letters_a_label_are_enough(n_labels):
    labels = [chr(0x4E00 + 40 * number) * 2 for number in range(n_labels)]
    batch = [[word, "甲", str(turn)] for turn in "甲乙" for word in labels]
    model = learning.fit(reader(batch), [Question("category", labels * 2)], np.arange(len(batch))).model
    scores = model.scores(model.read(words(batch[:n_labels])), model.head("category"))
    assert scores.argmax(axis=1).tolist() == list(range(n_labels))
    assert set(model.head("category").send_thresholds) == {2.0}


def test_near_duplicates_stay_on_one_side_of_a_split():
    groups = np.repeat(np.arange(6), 4)
    task = learning._task(Question("category", LABELS), ("wages", "land", "property"), None, 0.3)
    for train, test in search.splits(task, groups, 0):
        assert not set(groups[train]) & set(groups[test])


def test_one_label_cannot_be_learned():
    with pytest.raises(ValueError, match="at least two labels"):
        fit(BATCH[:2], ["wages", "wages"])


def test_the_search_takes_what_was_measured_best_and_tells_all_it_tried():
    held = fit(BATCH, LABELS, settings=None).held_out["category"]
    tried = dict(held.trials)
    assert tried[held.settings] >= max(tried.values()) - search.GAIN
    assert {settings.cost for settings in tried} == {0.2, 0.5, 1.2}
    assert {settings.bayes for settings in tried} == {0.0, 0.15, 0.3, 0.5}


def test_how_far_training_has_come_is_told():
    told = []
    fit(BATCH, LABELS, told=lambda step, done: told.append(done))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_the_same_letters_and_seed_give_the_same_model(fitted):
    again = fit(BATCH, LABELS)
    assert all(map(np.array_equal, again.model.weights, fitted.model.weights))
    assert again.model.heads == fitted.model.heads
    assert all(map(np.array_equal, fit(BATCH, LABELS, settings=None).model.weights, fit(BATCH, LABELS, settings=None).model.weights))


def test_a_question_the_model_was_never_asked_is_an_error(fitted):
    with pytest.raises(KeyError):
        fitted.model.head("colour")
