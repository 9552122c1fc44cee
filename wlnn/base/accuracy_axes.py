"""Axes that are accuracies: their name, and how a smoothed one becomes y; knows no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

LOGIT_MARGIN = 1e-4  # of the logit axis, published run of the digits task
SCALE = 10.0  # of the scaled axis, published run of the photographs task
TRAIN_ACCURACY = "train accuracy"  # name of an x axis along which no temperature is defined


class AccuracyAxis(NamedTuple):
    """Value, slope and range of the y axis as functions of the smoothed accuracy."""

    value: Callable
    slope: Callable
    inverse: Callable


def _logit(xp, accuracy):
    q = LOGIT_MARGIN + (1 - 2 * LOGIT_MARGIN) * accuracy
    return xp.log(q) - xp.log1p(-q)


def _logit_slope(xp, accuracy):
    q = LOGIT_MARGIN + (1 - 2 * LOGIT_MARGIN) * accuracy
    return (1 - 2 * LOGIT_MARGIN) / (q * (1 - q))


def _logit_inverse(xp, y):
    return (1 / (1 + xp.exp(-y)) - LOGIT_MARGIN) / (1 - 2 * LOGIT_MARGIN)


ACCURACY_AXES = {
    "logit": AccuracyAxis(_logit, _logit_slope, _logit_inverse),
    "scaled": AccuracyAxis(
        lambda xp, accuracy: SCALE * accuracy,
        lambda xp, accuracy: SCALE + 0 * accuracy,
        lambda xp, y: y / SCALE,
    ),
    "plain": AccuracyAxis(
        lambda xp, accuracy: accuracy,
        lambda xp, accuracy: 1 + 0 * accuracy,
        lambda xp, y: y,
    ),
}
