"""Modification factors: what is added to S per visit in each stage, as pure functions of a history.

A schedule never looks at the walker, only at what its earlier stages recorded, so that a resumed
run takes the same path. Nothing here decides when a run ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OneOverT:
    """ln f = c Nb / t with c falling from 80 to 2, and never above ln f0.

    Nb is the number of bins visited so far and t the number of steps: the average bin gains c nats
    while t doubles, more or less. With c = 2 the error falls as t^(-1/2) (Belardinelli & Pereyra
    2007), but a landscape of hundreds of nats is never filled; with a constant ln f0 the walker
    fills it by brute force, before it can find its way from one end to the other, and builds
    ridges of hundreds of nats that a falling ln f never takes down. So c is large while bins are
    still being found, and three rules fit it to the landscape:

    - Exploration (c = 80) lasts at least 5 % of the adaptive steps, and goes on (up to 60 %) while
      its second half still found new bins (more than 1 %).
    - After it, and after a quarter of the adaptive steps, no new bin is let in: one that is found
      when ln f is small could never be filled, and a bin whose S is far too low holds the walker
      for e^(error) visits once S is frozen.
    - c then falls exponentially to 2. The time constant is twenty crossing times,
      steps / (2 round trips) in the second half of the exploration, but at least 0.6 % of the
      adaptive steps, and at most what brings c to 2 at their end.
    """

    n_stages: int  # of the adaptive part
    steps: int  # of one stage
    ln_f0: float = 0.05
    c_explore: float = 80.0
    c: float = 2.0
    explore: tuple[float, float] = (0.05, 0.60)
    open_part: float = 0.25
    fastest_descent: float = 0.006
    crossings: float = 20.0

    def explored(self, bins: np.ndarray) -> int | None:
        """Stage at which exploration ended, from the visited bins after each stage; None: not yet.

        ``bins`` has one entry per finished stage.
        """
        least, most = (max(1, math.ceil(part * self.n_stages)) for part in self.explore)
        for stage in range(least, len(bins) + 1):
            if stage >= most or bins[stage - 1] <= 1.01 * bins[max(stage // 2 - 1, 0)]:
                return stage
        return None

    def takes_new_bins(self, stage: int, history: dict[str, np.ndarray]) -> bool:
        """Whether a bin never visited before belongs to the window in this stage."""
        early = stage < self.open_part * self.n_stages
        return early or self.explored(history["bins"][:stage]) is None

    def ln_f(self, stage: int, history: dict[str, np.ndarray]) -> float:
        """ln f of a stage; ``history`` holds "bins" and "round_trips" of the stages before it."""
        if stage == 0:
            return self.ln_f0
        bins = history["bins"][:stage]
        end = self.explored(bins)
        c = self.c_explore
        if end is not None:
            trips = history["round_trips"][end // 2 : end].sum()
            crossing = (end - end // 2) / (2 * trips) if trips else np.inf
            slowest = max(self.n_stages - end, 1) / math.log(self.c_explore / self.c)
            constant = max(self.crossings * crossing, self.fastest_descent * self.n_stages)
            c = max(c * math.exp(-(stage - end) / min(constant, slowest)), self.c)
        return min(self.ln_f0, c * float(bins[-1]) / (stage * self.steps))


class _AlwaysOpen:
    def takes_new_bins(self, stage: int, history: dict[str, np.ndarray]) -> bool:
        """Whether a bin never visited before belongs to the window in this stage."""
        return True


@dataclass(frozen=True)
class PaperStages(_AlwaysOpen):
    """ln f = 5 / (i + 10) at stage i (paper, Methods). Its error is set by the last ln f."""

    def ln_f(self, stage: int, history: dict[str, np.ndarray]) -> float:
        """ln f of stage ``stage`` = 0, 1, ..."""
        return 5.0 / (stage + 10)


@dataclass(frozen=True)
class Halving(_AlwaysOpen):
    """ln f is halved whenever every known bin was visited since it last was (Wang & Landau 2001).

    For comparison: in the end it falls faster than 1/t and the error stops falling with it.
    """

    ln_f0: float = 0.05

    def ln_f(self, stage: int, history: dict[str, np.ndarray]) -> float:
        """ln f of a stage; ``history["halvings"]`` counts the halvings up to each stage's end."""
        return self.ln_f0 * 0.5 ** float(history["halvings"][stage - 1] if stage else 0)
