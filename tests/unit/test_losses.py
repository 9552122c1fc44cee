"""Losses and accuracies against formulas in many digits and against central differences."""

import math

import numpy as np
import pytest

from wlnn.networks import losses

H = 1e-6


def logits_and_labels(n_classes, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, max(n_classes, 2), size=7)
    return rng.normal(size=(3, 7, n_classes)), labels


def check_gradient(value, back, outputs):
    gradient = back(outputs)
    for k in np.ndindex(outputs.shape):
        kept = outputs[k]
        outputs[k] = kept + H
        up = value(outputs)[k[0]]
        outputs[k] = kept - H
        down = value(outputs)[k[0]]
        outputs[k] = kept
        assert gradient[k] == pytest.approx((up - down) / (2 * H), abs=2e-9)


@pytest.mark.parametrize("n_classes", [1, 2, 5])
def test_gradients(n_classes):
    logits, labels = logits_and_labels(n_classes)
    check_gradient(
        lambda z: losses.cross_entropy(np, z, labels),
        lambda z: losses.cross_entropy_back(np, z, labels),
        logits,
    )
    check_gradient(
        lambda z: losses.smoothed_accuracy(np, z, labels, 3.0),
        lambda z: losses.smoothed_accuracy_back(np, z, labels, 3.0),
        logits,
    )


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 2)])
def test_squared_error(shape):
    rng = np.random.default_rng(1)
    targets = rng.normal(size=shape)
    outputs = rng.normal(size=(3, 7, 1 if len(shape) == 1 else shape[1]))
    value = losses.squared_error(np, outputs, targets)
    table = targets.reshape(7, -1)
    for r in range(3):
        assert value[r] == pytest.approx(np.mean((outputs[r] - table) ** 2), rel=1e-13)
    check_gradient(
        lambda o: losses.squared_error(np, o, targets),
        lambda o: losses.squared_error_back(np, o, targets),
        outputs,
    )


def test_cross_entropy_is_the_softmax_formula():
    logits, labels = logits_and_labels(5)
    value = losses.cross_entropy(np, logits, labels)
    for r in range(3):
        p = np.exp(logits[r]) / np.exp(logits[r]).sum(1, keepdims=True)
        assert value[r] == pytest.approx(-np.log(p[np.arange(7), labels]).mean(), rel=1e-13)


def test_one_logit_equals_two_logits_with_the_first_at_zero():
    logits, labels = logits_and_labels(1)
    pair = np.concatenate([np.zeros_like(logits), logits], -1)
    for function in (losses.cross_entropy, losses.accuracy, losses.smoothed_accuracy):
        np.testing.assert_allclose(
            function(np, logits, labels), function(np, pair, labels), rtol=1e-13
        )
    for back in (losses.cross_entropy_back, losses.smoothed_accuracy_back):
        np.testing.assert_allclose(
            back(np, logits, labels), back(np, pair, labels)[..., 1:], rtol=1e-12
        )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("lead", [-700.0, -80.0, -1.0, 0.0, 1.0, 15.0, 40.0, 80.0])
def test_cross_entropy_keeps_its_digits_at_any_lead(lead, dtype):
    """One row whose right logit leads by ``lead``: loss ln(1 + e^-lead), without overflow."""
    logits = np.array([[[100.0 + lead, 100.0]]], dtype=dtype)
    labels = np.array([0])
    expected = max(-lead, 0) + math.log1p(math.exp(-abs(lead)))
    tolerance = 1e-12 if dtype == np.float64 else 2e-6
    value = losses.cross_entropy(np, logits, labels)
    assert value.dtype == dtype
    assert value[0] == pytest.approx(expected, rel=tolerance)
    gradient = losses.cross_entropy_back(np, logits, labels)
    assert gradient.dtype == dtype
    wrong = math.exp(-lead - expected)
    np.testing.assert_allclose(gradient[0, 0], [-wrong, wrong], rtol=tolerance)
    single = losses.cross_entropy(np, logits[..., :1] - logits[..., 1:], np.array([1]))
    assert single[0] == pytest.approx(expected, rel=tolerance)


def test_a_tie_counts_as_wrong():
    logits = np.array([[[1.0, 1.0], [2.0, 1.0], [0.0, 1.0]]])
    assert losses.accuracy(np, logits, np.array([0, 0, 0]))[0] == pytest.approx(1 / 3)
    assert losses.accuracy(np, logits, np.array([1, 1, 1]))[0] == pytest.approx(1 / 3)
    assert losses.accuracy(np, np.zeros((1, 2, 1)), np.array([0, 1]))[0] == 0


def test_smoothed_accuracy_formula_and_limit():
    logits, labels = logits_and_labels(4)
    value = losses.smoothed_accuracy(np, logits, labels, 5.0)
    for r in range(3):
        total = 0.0
        for row, label in zip(logits[r], labels, strict=True):
            margin = row[label] - np.delete(row, label).max()
            total += 1 / (1 + math.exp(-5.0 * margin))
        assert value[r] == pytest.approx(total / 7, rel=1e-13)
    steep = losses.smoothed_accuracy(np, logits, labels, 1e6)
    np.testing.assert_allclose(steep, losses.accuracy(np, logits, labels), atol=1e-12)
