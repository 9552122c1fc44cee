"""The published ramp of the hills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wlnn.base.errors import UserError


@dataclass(frozen=True)
class PaperRamp:
    """f(t), counts per step: a ramp, a plateau and a tail falling as 1 / t (paper, Eq. (4)).

    f = f_max t / t1 up to t1, f_max up to t2, then f_max (t2 - t3) / (t - t3). The tail heals the
    table where f_max (t2 - t3) is 5 to 10 times the number of cells of 0.02 x 0.02 explored; with
    more it stays hot, and the tables of the tail have to be averaged.
    """

    f_max: float
    t1: float
    t2: float
    t3: float

    def __post_init__(self):
        if not (self.f_max > 0 and 0 < self.t1 <= self.t2 and self.t3 < self.t2):
            raise UserError(
                f"schedule f_max = {self.f_max}, t1 = {self.t1}, t2 = {self.t2}, t3 = {self.t3}: "
                "f_max > 0, 0 < t1 <= t2 and t3 < t2 are needed."
            )

    def f(self, t) -> np.ndarray:
        """f at the steps ``t (n,)`` of a walker, counted from 1."""
        t = np.asarray(t, dtype=float)
        tail = self.f_max * (self.t2 - self.t3) / np.maximum(t - self.t3, self.t2 - self.t3)
        return np.where(t <= self.t1, self.f_max * t / self.t1, tail)
