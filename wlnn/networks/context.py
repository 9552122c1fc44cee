"""Two-layer networks that select an input by context."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.networks.parameters import Layout


class Units(NamedTuple):
    """Hidden units: output weights w (N,), input weights m (N, K), context weights a (N, K)."""

    w: np.ndarray
    m: np.ndarray
    a: np.ndarray

    @property
    def g(self) -> np.ndarray:
        """Gain bits 1[a > 0], (N, K) bool."""
        return self.a > 0


def task_matrix(units: Units) -> np.ndarray:
    """M_kd = (1/N) sum_i w_i g_ik m_id, (K, K), Eq. (2): input d read out in context k."""
    return (units.g * units.w[:, None]).T @ units.m / len(units.w)


def linear_loss(units: Units) -> float:
    """L = (1/K) |M - I|_F^2, Eq. (2): the exact loss of gated linear units (no offsets)."""
    M = task_matrix(units)
    return float(((M - np.eye(len(M))) ** 2).sum() / len(M))


def relu_residuals(units: Units, x: np.ndarray) -> np.ndarray:
    """y_k(x) - x_k of the ReLU network for inputs x (B, K); returns (B, K).

    Eq. (1): y_k = (1/N) sum_i w_i max(m_i.x + a_ik, 0) in context k.
    """
    before = x @ units.m.T
    residuals = np.empty_like(x)
    for k in range(x.shape[1]):
        residuals[:, k] = np.maximum(before + units.a[:, k], 0) @ units.w / len(units.w) - x[:, k]
    return residuals


def relu_loss(units: Units, x: np.ndarray, input_scale: float = 1.0) -> float:
    """L = (1/K) sum_k E (y_k - x_k)^2 / s_x^2 of the ReLU network over the inputs x (B, K)."""
    return float((relu_residuals(units, x) ** 2).mean() / input_scale**2)


class ContextNetwork(NamedTuple):
    """Names the tensors of theta and turns it into :class:`Units`."""

    contexts: int
    units: int
    net: str = "gain-linear"
    gated: bool = True

    @property
    def layout(self) -> Layout:
        """Tensors w (N,), m (N, K) and, if gated, a (N, K)."""
        N, K = self.units, self.contexts
        shapes = ((N,), (N, K), (N, K))
        return Layout(("w", "m", "a"), shapes) if self.gated else Layout(("w", "m"), shapes[:2])

    def split(self, theta: np.ndarray) -> Units:
        """theta (P,) as Units; ungated units get context weights of 1."""
        w, m, *a = self.layout.views(np.asarray(theta, float))
        return Units(w, m, a[0] if a else np.ones_like(m))

    @property
    def title(self) -> str:
        """The network in words."""
        ungated = "" if self.gated else ", always active"
        return f"{self.net} units{ungated}, K = {self.contexts}, N = {self.units}"

    def describe(self) -> dict:
        """As JSON, for what is stored with results."""
        return {"family": "context-select", "title": self.title, **self._asdict()}
