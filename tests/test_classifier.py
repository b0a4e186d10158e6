"""The classifier against scikit-learn's own, and what it says of itself."""

import numpy as np
import pytest

from models import learning
from models.learning import Question

BATCH = [["拖欠", "工资", "包工头"], ["工资", "一分", "没给"], ["征地", "补偿", "款"], ["土地", "征收", "补偿"], ["小区", "物业"], ["物业", "收费"]] * 4
LABELS = ["wages", "wages", "land", "land", "property", "property"] * 4


@pytest.fixture(scope="module")
def fitted():
    return learning.fit(BATCH, [Question("category", LABELS)], [str(i) for i in range(len(BATCH))], options=learning.Options(seed=1))


def test_margins_are_the_average_of_scikit_learns_own(fitted):
    from sklearn.naive_bayes import ComplementNB
    from sklearn.svm import LinearSVC

    model, _ = fitted
    reading = model.read(BATCH)
    rows = learning._sparse(reading.matrix, len(model.vocabulary))
    numbers = [model.head("category").labels.index(label) for label in LABELS]
    svm = LinearSVC(C=1.0, tol=learning.TOLERANCE, random_state=1).fit(rows, numbers).decision_function(rows)
    bayes = ComplementNB(alpha=learning.SMOOTHING).fit(rows, numbers).predict_joint_log_proba(rows)
    centred = [margins - margins.mean(axis=1, keepdims=True) for margins in (svm, bayes)]
    shares = np.linalg.lstsq(np.stack([margins.ravel() for margins in centred], axis=1), reading.margins.ravel(), rcond=None)
    assert shares[1][0] < 1e-5
    assert min(shares[0]) > 0


def test_scores_sum_to_one(fitted):
    model, _ = fitted
    scores = model.scores(model.read([*BATCH, [], ["从没见过"]]), model.head("category"))
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_an_unknown_letter_is_known_to_be_unknown(fitted):
    model, _ = fitted
    assert model.read([["从没", "见过"]]).known[0] == 0
    assert model.read([["工资", "没给"]]).known[0] > 0


def test_why_adds_up_with_the_margin(fitted):
    model, _ = fitted
    reading, head = model.read([BATCH[0]]), model.head("category")
    moved = sum(move for _, move in model.why(reading, 0, head, 0, limit=4_000))
    unit = head.curve.scale / float(reading.margins[0].std()) ** head.curve.power
    assert moved == pytest.approx(float(reading.margins[0, 0] - model.intercepts[0]) * unit, abs=0.05)


def test_held_out_scores_come_with_the_model(fitted):
    _, scores = fitted
    assert scores["category"]["accuracy"] == 1.0
    assert 0 <= scores["category"]["calibration_error"] <= 1


def test_two_labels_are_enough():
    model, _ = learning.fit(BATCH[:4] * 3, [Question("category", LABELS[:4] * 3)], [str(i) for i in range(12)])
    scores = model.scores(model.read([["工资"], ["土地", "补偿"]]), model.head("category"))
    assert scores.argmax(axis=1).tolist() == [0, 1]


def test_the_same_letters_and_seed_give_the_same_weights(fitted):
    again, _ = learning.fit(BATCH, [Question("category", LABELS)], [str(i) for i in range(len(BATCH))], options=learning.Options(seed=1))
    assert np.array_equal(again.weights, fitted[0].weights)


def test_a_question_the_model_was_never_asked_is_an_error(fitted):
    with pytest.raises(StopIteration):
        fitted[0].head("colour")
