"""Losses, accuracies and their gradients with respect to the outputs, ``xp`` first.

Values are means over the N rows and keep the walker axis; nothing here knows a network. A
classifier with one logit (K = 1) answers label 1 where the logit is positive.

Everything about classification goes through the wrong margins d = (wrong logit) - (right logit):
a loss of 1e-12 and its gradient keep their relative accuracy, also in single precision, which
matters because molecular dynamics divides the gradient by the loss.
"""

from __future__ import annotations

FLOOR = 1e-30  # losses below are taken as this: ln(loss) stays finite


def _wrong_margins(xp, logits, labels):
    """Wrong minus right logits ``(R, N, K)``, -inf at the right one; ``(R, N, 1)`` for one logit.

    The second value is what turns a gradient by margins into one by logits: the sign ``(N, 1)`` of
    the one logit, or the mask ``(N, K)`` of the right answers (``(R, N, ..)`` for own labels).
    """
    if logits.shape[-1] == 1:
        sign = (1 - 2 * labels)[..., None].astype(logits.dtype)
        return logits * sign, sign
    right = labels[..., None] == xp.arange(logits.shape[-1])
    right_logit = xp.where(right, logits, 0).sum(-1, keepdims=True)
    return xp.where(right, -xp.inf, logits - right_logit), right


def _to_logits(xp, dmargins, key):
    """Gradient by logits from the gradient by wrong margins."""
    if dmargins.shape[-1] == 1:
        return dmargins * key
    return dmargins - key * dmargins.sum(-1, keepdims=True)


def cross_entropy(xp, logits, labels):
    """Mean cross-entropy in nats, ``mean_i ln(1 + sum_wrong exp(d_i))``.

    Shapes: logits ``(R, N, K)``, integer labels ``(N,)`` or ``(R, N)`` -> ``(R,)``. K = 1 is the
    binary cross-entropy of ``sigmoid(logit)`` as the probability of label 1.
    """
    margins, _ = _wrong_margins(xp, logits, labels)
    top = xp.maximum(margins.max(-1), 0)
    rest = xp.exp(margins - top[..., None]).sum(-1)
    return (top + xp.log1p(rest + xp.expm1(-top))).mean(-1)


def cross_entropy_back(xp, logits, labels):
    """Gradient of :func:`cross_entropy` by the logits, ``(R, N, K)``: (probability - truth) / N."""
    margins, key = _wrong_margins(xp, logits, labels)
    top = xp.maximum(margins.max(-1, keepdims=True), 0)
    weights = xp.exp(margins - top)
    wrong = weights / (weights.sum(-1, keepdims=True) + xp.exp(-top))
    return _to_logits(xp, wrong / logits.shape[-2], key)


def squared_error(xp, outputs, targets):
    """Mean squared error over rows and outputs.

    Shapes: outputs ``(R, N, K)``, targets ``(N, K)`` or ``(N,)`` for K = 1, or the same with the
    walker axis before it -> ``(R,)``.
    """
    residuals = outputs - _like(outputs, targets)
    return (residuals * residuals).mean((-2, -1))


def squared_error_back(xp, outputs, targets):
    """Gradient of :func:`squared_error` by the outputs, ``(R, N, K)``."""
    rows, columns = outputs.shape[-2:]
    return (outputs - _like(outputs, targets)) * (2.0 / (rows * columns))


def _like(outputs, targets):
    """Targets in the shape of the outputs, where they are shared without the walker axis."""
    own = targets.size == outputs.size
    return targets.reshape(outputs.shape if own else outputs.shape[-2:])


def accuracy(xp, logits, labels):
    """Fraction of rows answered right, ``(R,)``; a tie for the highest logit counts as wrong."""
    margins, _ = _wrong_margins(xp, logits, labels)
    return (margins.max(-1) < 0).mean(-1)


def _exact_sigmoid(xp, z):
    # never overflows, and keeps the digits of a small value, which that of silu (layers) does not
    tail = xp.exp(-abs(z))
    return xp.where(z >= 0, 1, tail) / (1 + tail)


def smoothed_accuracy(xp, logits, labels, alpha=5.0):
    """Smoothed accuracy, Eq. (2): ``mean_i sigmoid(alpha delta_i)``, shape ``(R,)``.

    delta_i is the right logit minus the highest wrong one; alpha -> infinity gives the accuracy.
    """
    margins, _ = _wrong_margins(xp, logits, labels)
    return _exact_sigmoid(xp, -alpha * margins.max(-1)).mean(-1)


def smoothed_accuracy_back(xp, logits, labels, alpha=5.0):
    """Gradient of :func:`smoothed_accuracy` by the logits, ``(R, N, K)``.

    ``alpha s (1 - s) / N`` at the right logit, minus that at the highest wrong one (the first, if
    several are highest).
    """
    margins, key = _wrong_margins(xp, logits, labels)
    highest = margins.argmax(-1)[..., None] == xp.arange(margins.shape[-1])
    z = -alpha * margins.max(-1, keepdims=True)
    slope = -alpha / logits.shape[-2] * _exact_sigmoid(xp, z) * _exact_sigmoid(xp, -z)
    return _to_logits(xp, slope * highest, key)
