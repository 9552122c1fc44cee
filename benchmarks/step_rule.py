"""What a step width that never stops adapting does to S: draws docs/step_rule_bias.png.

On a frozen exact S a right sampler visits every bin alike; ln(visits) is then the bias that its
rule of moves puts into S. The maximum norm of 4 and of 20 parameters (R6 and its larger sibling).

    python benchmarks/step_rule.py [--steps 8e6] [--walkers 6] [--out docs/step_rule_bias.png]
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
import numpy as np

from wlnn.base.progress import Progress
from wlnn.reference.cases import maxnorm
from wlnn.reference.judges.verdict import entropy, words
from wlnn.reference.judges.wlmc_frozen import flat_case, frozen_run
from wlnn.report.plot import save
from wlnn.wlmc import driver as kernels
from wlnn.wlmc import rules

RULES = {
    "published: adapted every 1000 steps, never stopped": (rules.STEP_ADAPT, 0.25),
    "frozen (default)": (rules.STEP_FIXED, 0.1),
    "log-uniform": (rules.STEP_LOG_UNIFORM, 0.1),
}


def ln_visits(n: int, rule: int, width: float, walkers: int, steps: int) -> tuple:
    """Bin centres, mean and standard error over walkers of ln(visits / mean visits)."""
    case = flat_case(n)
    exact, counts = entropy(maxnorm.masses(case)), []
    for walker in range(walkers):
        theta = maxnorm.starts(case, 1, np.random.default_rng([0, walker]))[0]
        histogram, _ = frozen_run(
            kernels, case, exact, theta, steps, rule, width, words(0, walker), "float64"
        )
        counts.append(histogram[:, 0] * (case.grid.x.n / steps))
    logs = np.log(np.maximum(counts, 1e-9))
    return case.grid.x.centres, logs.mean(axis=0), logs.std(axis=0, ddof=1) / np.sqrt(walkers)


def main() -> None:
    """Print the tilt from end to end of each rule, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=float, default=8e6)
    parser.add_argument("--walkers", type=int, default=6)
    parser.add_argument("--out", default="docs/step_rule_bias.png")
    options = parser.parse_args()
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    progress, done = Progress("step rules"), 0
    for panel, n in zip(panels, (4, 20), strict=True):
        for name, (rule, width) in RULES.items():
            x, bias, error = ln_visits(n, rule, width, options.walkers, int(options.steps))
            tilt = bias[-3:].mean() - bias[:3].mean()
            print(f"n = {n:<3} {name:<52} end to end {tilt:+.2f} nats")
            panel.errorbar(x, bias, error, fmt=".-", ms=3, lw=0.8, label=f"{name}: {tilt:+.2f}")
            done += 1
            progress(done, 2 * len(RULES))
        panel.axhline(0, color="k", lw=0.6)
        panel.set(title=f"{n} parameters, exact S, frozen", xlabel="x = ln max |theta| / b")
        panel.legend(fontsize=7, frameon=False, title="end to end, nats", title_fontsize=7)
    panels[0].set_ylabel("bias of S: ln(visits / mean)")
    progress.close()
    print(save(figure, options.out))


if __name__ == "__main__":
    main()
