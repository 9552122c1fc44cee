"""How the error of S falls with the steps, on two exact cases: draws docs/convergence.png.

Single walkers of 1e5 to 1e7 steps, whole runs as `wlnn sample` makes them, each walker aligned by
itself; the error is the rms of S - S_exact over the bins, the median over walkers. Three ways: the
schedule "one-over-t" with S + ln H of a frozen last quarter, the same with the mean of S over the
last half, and the published schedule, ln f = 5 / (i + 10) over 1000 stages, without production
stage. Slopes are fitted from 3e5 steps on: with 1e5 some walkers have not yet found every bin.

    python benchmarks/convergence.py [--walkers 16] [--out docs/convergence.png]
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
import numpy as np

from wlnn.base.progress import Progress
from wlnn.reference.cases import maxnorm, ternary_perceptron
from wlnn.reference.judges.wlmc_run import run, typical
from wlnn.report.plot import save

STEPS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
WAYS = {
    "1/t, then S + ln H": {"production": 0.25},
    "1/t, then mean of S": {"production": 0.5, "estimator": "average"},
    "published schedule": {"schedule": "paper", "stages": 1000},
}
CASES = {
    "maximum norm of 4 parameters (R3)": (maxnorm, {}),
    "ternary perceptron (R5)": (ternary_perceptron, {"step_width": 0.5}),
}


def error_of(module, walkers: int, steps: int, **options) -> float:
    """The error of a typical walker, of ``walkers`` of them."""
    case = module.problem()
    return typical(run(case, walkers=walkers, steps=steps, **options), module.masses(case))


def main() -> None:
    """Print a table with the slopes, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--walkers", type=int, default=16)
    parser.add_argument("--out", default="docs/convergence.png")
    options = parser.parse_args()
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    progress, done = Progress("convergence"), 0
    for panel, (title, (module, own)) in zip(panels, CASES.items(), strict=True):
        print(title)
        for marker, (way, how) in zip("os^", WAYS.items(), strict=True):
            found = []
            for steps in STEPS:
                found.append(error_of(module, options.walkers, steps, **own, **how))
                done += steps
                progress(done, len(CASES) * len(WAYS) * sum(STEPS))
            slope = np.polyfit(np.log(STEPS[1:]), np.log(found[1:]), 1)[0]
            values = "  ".join(f"{value:.4f}" for value in found)
            print(f"  {way:<28} {values}  slope {slope:.2f}")
            panel.loglog(STEPS, found, marker + "-", ms=4, lw=1, label=f"{way}, slope {slope:.2f}")
        guide = found[0] * np.sqrt(STEPS[0] / np.array(STEPS)) / 3
        panel.loglog(STEPS, guide, "k:", lw=1, label="steps$^{-1/2}$")
        panel.set(title=title, xlabel="steps of a walker")
        panel.legend(fontsize=7, frameon=False)
    panels[0].set_ylabel("error of S of a walker (nats)")
    progress.close()
    print(save(figure, options.out))


if __name__ == "__main__":
    main()
