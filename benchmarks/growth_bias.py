"""How much too steep S comes out when it is averaged while it grows: draws docs/growth_bias.png.

With estimator "average" ln f stays above 0, and walkers lag behind S: S(x) is too deep at low
losses, in all walkers alike, in proportion to ln f. Runs that differ in wlmc.c alone show it:

    for c in 50 25 8; do for seed in 0 1; do
        wlnn sample --seed $seed --steps 1e8 --set wlmc.c=$c --set wlmc.estimator=average \\
            --set wlmc.production=0.5 --out runs/c$c-$seed
    done; done
    python benchmarks/growth_bias.py runs/c* [--out docs/growth_bias.png]
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
import numpy as np

from wlnn.landscape.landscape import Landscape
from wlnn.report.plot import save
from wlnn.runs.find import find_landscape

AT = (-1.15, -1.95, -2.45, -3.05)  # ln(train loss)


def ln_f_of(landscape: Landscape) -> float:
    """ln f while S was averaged, mean over walkers."""
    return float(landscape.history["ln_f"][:, -1].mean())


def main() -> None:
    """Print S(x) of every run and the straight line through all of them to ln f = 0, draw both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--out", default="docs/growth_bias.png")
    options = parser.parse_args()
    found = sorted((find_landscape(run) for run in options.runs), key=ln_f_of)
    ln_f = np.array([ln_f_of(landscape) for landscape in found])
    curves = [landscape.marginal_entropy() for landscape in found]
    figure, panel = plt.subplots(figsize=(5.4, 3.6), layout="constrained")
    for color, x in zip(plt.get_cmap("viridis")(np.linspace(0, 0.85, len(AT))), AT, strict=True):
        k = int(np.abs(curves[0].x - x).argmin())
        s = np.array([curve.value[k] for curve in curves])
        error = np.array([curve.error[k] for curve in curves])
        slope, zero = np.polyfit(ln_f, s, 1, w=1 / error)
        said = ", ".join(f"{v:.2f} ± {e:.2f}" for v, e in zip(s, error, strict=True))
        print(f"ln L = {curves[0].x[k]:.2f}: S = {said}; at ln f = 0: {zero:.2f}, {slope:.0f} ln f")
        label = f"ln L = {curves[0].x[k]:.2f}"
        panel.errorbar(ln_f, s - zero, error, fmt="o", ms=3, color=color, label=label)
        line = np.array([0, ln_f.max()])
        panel.plot(line, slope * line, color=color, lw=0.8)
    panel.axhline(0, color="k", lw=0.6)
    panel.set(xlabel="ln f while S is averaged", ylabel="S minus its value at ln f = 0 (nats)")
    panel.legend(fontsize=8, frameon=False)
    print(save(figure, options.out))


if __name__ == "__main__":
    main()
