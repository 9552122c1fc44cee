"""Seconds to an rms error of 0.05 nat in S, on two exact cases, for this package and two others.

    python benchmarks/accuracy.py [--seeds 3] [--limit 600] [--rms 0.05]

- wlnn: `wlnn.sample` with the settings of the networks but 100 stages (a stage costs 0.2 ms in
  Python), four walkers, one thread, compiled before.
- Wang-Landau sampling in plain NumPy, as it is found in tutorials, with the 1/t rule (Belardinelli
  & Pereyra 2007): one walker, the whole function at every step.
- nested sampling by dynesty, "rslice", where it is installed. Ties, of which the second case is
  made, are broken by one more parameter.

All are run at doubled lengths until the rms over the bins, mean over seeds, is at most 0.05; the
seconds are those of a run of that length, median over seeds, on one core; methods take turns.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from wlnn import sample
from wlnn.reference.cases import maxnorm, ternary_perceptron
from wlnn.settings.samplers import WLMCSettings

CASES = {"R3, maxnorm": maxnorm, "R5, ternary perceptron": ternary_perceptron}


def by_wlnn(case, length: int, seed: int) -> np.ndarray:
    """S ``(nx, ny)`` after ``length`` steps of four walkers together."""
    settings = WLMCSettings(steps=length // 4, walkers=4, stages=100, seed=seed, anchor_draws=0)
    return sample(case, settings, threads=1).entropy


def by_numpy(case, length: int, seed: int) -> np.ndarray:
    """S ``(nx, ny)`` after ``length`` steps of one walker."""
    rng = np.random.default_rng(seed)
    s, histogram = np.zeros(case.grid.shape), np.zeros(case.grid.shape)
    visited = np.zeros(case.grid.shape, bool)

    def bins_of(theta):
        values = case.observe(theta)
        return tuple(int(a.index(v)) for a, v in zip(case.grid, values, strict=True))

    def inside(at):
        return all(0 <= k < n for k, n in zip(at, case.grid.shape, strict=True))

    here = (-1, -1)
    while not inside(here):
        theta = rng.uniform(case.lo, case.hi)
        here = bins_of(theta)
    ln_f, late = 1.0, False
    for step in range(1, length + 1):
        i = rng.integers(theta.size)
        old = theta[i]
        theta[i] += 0.25 * (case.hi[i] - case.lo[i]) * rng.uniform(-1, 1)
        there = bins_of(theta) if case.lo[i] <= theta[i] <= case.hi[i] else (-1, -1)
        if inside(there) and rng.random() < math.exp(min(0.0, s[here] - s[there])):
            here = there
        else:
            theta[i] = old
        s[here] += ln_f
        histogram[here] += 1
        visited[here] = True
        if late:
            ln_f = visited.sum() / step if step % 1000 == 0 else ln_f
        elif step % 10_000 == 0 and histogram[visited].min() > 0.8 * histogram[visited].mean():
            ln_f, histogram[:] = ln_f / 2, 0
            late = ln_f < visited.sum() / step
    return np.where(visited, s, np.nan)


def by_dynesty(case, length: int, seed: int) -> np.ndarray:
    """S ``(nx, ny)`` from ``length`` live points."""
    import warnings

    import dynesty

    warnings.filterwarnings("ignore", message="The sampling was stopped short")  # at ln X = -16

    n, ties = case.n_parameters, case.grid.y.n > 1
    steep = 1e4  # only the order of the likelihood matters

    def theta_of(unit):
        return case.lo + (case.hi - case.lo) * unit[:n]

    sampler = dynesty.NestedSampler(
        lambda unit: -steep * (case.observe(theta_of(unit))[0] + (0.99 * unit[n] if ties else 0.0)),
        lambda unit: unit,
        n + ties,
        nlive=length,
        sample="rslice",
        rstate=np.random.default_rng(seed),
    )
    sampler.run_nested(maxiter=16 * length, add_live=False, print_progress=False)
    found = sampler.results
    ln_x = found.logvol
    mass = np.diff(-np.exp(np.r_[0.0, ln_x]))
    at = np.array([case.observe(theta_of(unit)) for unit in found.samples])
    bins = [axis.index(at[:, k]) for k, axis in enumerate(case.grid)]
    good = np.all([(b >= 0) & (b < n) for b, n in zip(bins, case.grid.shape, strict=True)], axis=0)
    table = np.zeros(case.grid.shape)
    np.add.at(table, tuple(b[good] for b in bins), mass[good])
    with np.errstate(divide="ignore"):
        return np.log(table)


METHODS = {  # name: (function, first length)
    "wlnn": (by_wlnn, 100_000),
    "Wang-Landau in NumPy": (by_numpy, 100_000),
    "dynesty": (by_dynesty, 100),
}


def rms_of(s: np.ndarray, mass: np.ndarray) -> float:
    """Root mean square over bins of S - S_exact, its mean removed; infinite if a bin is missing."""
    away = s[mass > 0] - np.log(mass[mass > 0])
    if not np.isfinite(away).all():
        return math.inf
    return float(away.std())


def main() -> None:
    """Print a line a case, method and length; at last the seconds of the first that will do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that a run may take")
    parser.add_argument("--rms", type=float, default=0.05)
    options = parser.parse_args()
    for title, module in CASES.items():
        case, needed = module.problem(), {}
        mass = module.masses(case)
        waiting = dict(METHODS)
        doubled = 0
        while waiting:
            for name, (function, first) in list(waiting.items()):
                length = first << doubled
                seconds, rms = [], []
                try:
                    for seed in range(options.seeds):
                        if doubled == 0 and function is by_wlnn:
                            function(case, first, seed)  # compiles
                        began = time.perf_counter()
                        rms.append(rms_of(function(case, length, seed), mass))
                        seconds.append(time.perf_counter() - began)
                except ImportError:
                    print(f"{title}: {name} is not installed: left out")
                    del waiting[name]
                    continue
                took = float(np.median(seconds))
                print(
                    f"{title}: {name}, length {length:,}: {took:.3g} s, rms {np.mean(rms):.3f}",
                    flush=True,
                )
                if np.mean(rms) <= options.rms or took > options.limit / 2:
                    needed[name] = took, np.mean(rms) <= options.rms
                    del waiting[name]
            doubled += 1
        for name, (took, reached) in needed.items():
            ratio = took / needed["wlnn"][0]
            more = "" if reached else " and not there"
            print(f"{title}: {name}: {took:.3g} s{more}, {ratio:,.0f} x wlnn", flush=True)


if __name__ == "__main__":
    main()
