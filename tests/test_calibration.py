"""Margins to probabilities that mean what they say."""

import numpy as np
import pytest

from models import calibration
from models.calibration import Curve


@pytest.fixture(scope="module")
def held_out():
    """Margins whose softmax at scale 2 is exactly right: labels are drawn from it."""
    chance = np.random.default_rng(4)
    margins = chance.normal(size=(20_000, 4)).astype(np.float32)
    probabilities = Curve(2.0).probabilities(margins)
    labels = np.array([chance.choice(4, p=row / row.sum()) for row in probabilities.astype(float)])
    return margins, labels


def test_the_scale_behind_the_labels_is_found_again(held_out):
    margins, labels = held_out
    curve = calibration.learn_curve(margins, np.eye(4)[labels])
    assert (curve.scale, curve.power) == (pytest.approx(2.0, rel=0.05), 0.0)


def test_where_only_the_shape_of_the_margins_counts_the_power_says_so(held_out):
    margins, labels = held_out
    stretched = margins / margins.std(axis=1, keepdims=True)
    drawn = np.array([np.random.default_rng(n).choice(4, p=row) for n, row in enumerate(Curve(2.0).probabilities(stretched.astype(float)))])
    sizes = np.random.default_rng(5).uniform(0.1, 10, (len(margins), 1))
    assert calibration.learn_curve(stretched * sizes, np.eye(4)[drawn]).power == 1.0
    assert len(labels) == len(drawn)


def test_right_probabilities_have_no_calibration_error(held_out):
    margins, labels = held_out
    assert calibration.expected_calibration_error(Curve(2.0).probabilities(margins), labels) < 0.01
    assert calibration.expected_calibration_error(Curve(9.0).probabilities(margins), labels) > 0.1


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_candidates_hold_the_right_label_as_often_as_promised(held_out, coverage):
    margins, labels = held_out
    probabilities = Curve(2.0).probabilities(margins)
    floor = calibration.candidate_floor(probabilities[:10_000], labels[:10_000], coverage, 0.9)
    held = probabilities[np.arange(10_000, 20_000), labels[10_000:]] >= floor
    assert held.mean() == pytest.approx(coverage + 0.005, abs=0.015)


def test_a_few_letters_promise_nothing():
    probabilities = np.array([[0.9, 0.1]] * 3)
    labels = np.zeros(3, int)
    assert calibration.candidate_floor(probabilities, labels, 0.95, 0.9) == 0.0
    assert calibration.send_thresholds(probabilities, labels, 0.95, 0.9).tolist() == [2.0, 2.0]


def test_letters_above_the_threshold_hold_the_precision(held_out):
    margins, labels = held_out
    probabilities = Curve(2.0).probabilities(margins)
    thresholds = calibration.send_thresholds(probabilities[:10_000], labels[:10_000], 0.9, 0.9)
    chosen, first = probabilities[10_000:].argmax(axis=1), probabilities[10_000:].max(axis=1)
    sent = first >= thresholds[chosen]
    assert sent.sum() > 500
    assert (chosen == labels[10_000:])[sent].mean() > 0.89


def test_a_label_that_never_holds_the_precision_is_never_sent_alone():
    probabilities = np.array([[0.6, 0.4]] * 40)
    assert calibration.send_thresholds(probabilities, np.array([0, 1] * 20), 0.95, 0.9)[0] == 2.0


@pytest.mark.parametrize(("promise", "confidence"), [(0.90, 0.9), (0.95, 0.9), (0.95, 0.8)])
def test_both_promises_break_no_oftener_than_their_confidence_allows(promise, confidence):
    """Two hundred offices each learn a threshold and a floor from 600 letters; the truth about both is known, since the labels are drawn."""
    broken = {"precision": 0, "coverage": 0}
    chance = np.random.default_rng(11)
    crowd = Curve(3.0).probabilities(chance.normal(size=(40_000, 3)).astype(np.float32))
    for _ in range(200):
        probabilities = Curve(3.0).probabilities(chance.normal(size=(600, 3)).astype(np.float32))
        labels = (probabilities.cumsum(axis=1) < chance.random((600, 1))).sum(axis=1).clip(0, 2)
        threshold = calibration.send_thresholds(probabilities, labels, promise, confidence)[0]
        floor = calibration.candidate_floor(probabilities, labels, promise, confidence)
        first = crowd[(crowd.argmax(axis=1) == 0) & (crowd[:, 0] >= threshold), 0]
        broken["precision"] += bool(len(first)) and first.mean() < promise
        broken["coverage"] += np.where(crowd >= floor, crowd, 0).sum(axis=1).mean() < promise
    allowed = 200 * (1 - confidence) + 3 * np.sqrt(200 * confidence * (1 - confidence))
    assert max(broken.values()) <= allowed, broken


def test_labels_too_rare_to_prove_a_threshold_share_one():
    chance = np.random.default_rng(2)
    labels = chance.integers(0, 40, 1200)
    probabilities = np.full((1200, 40), 0.01 / 39)
    probabilities[np.arange(1200), labels] = 0.99
    thresholds = calibration.send_thresholds(probabilities, labels, 0.95, 0.9)
    np.testing.assert_allclose(thresholds, 0.99)
