"""S of a network by Wang-Landau with an S that grows, with one that is frozen, and by ladders.

With estimator "average" ln f stays above 0, and walkers lag behind S: S(x) is too deep at low
losses, in all walkers alike, in proportion to ln f. With estimator "common" visits to a frozen S
are counted, and nothing is left of that. Ladders of replicas learn no S at all: they are the zero
of the figure, docs/growth_bias.png.

    for c in 8 25; do
        wlnn sample --set wlmc.estimator=average --set wlmc.c=$c --out runs/average-$c
    done
    for seed in 0 1; do
        wlnn sample --seed $seed --out runs/common-$seed
        wlnn sample --seed $seed --sampler ladder --out runs/ladder-$seed
    done
    python benchmarks/growth_bias.py runs/*-* [--out docs/growth_bias.png]
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
import numpy as np

from wlnn.landscape.landscape import Landscape
from wlnn.report.plot import save
from wlnn.runs.find import find_landscape

AT = (-0.65, -1.05, -2.05, -3.05)  # ln(train loss), of the table
TOP = -0.45  # S counts from all rows above
WAYS = {"average": "grows while averaged", "common": "frozen, counted", "ladder": "ladders"}
COLOURS = {"average": "#c44e00", "common": "#0b6fa4", "ladder": "#222222"}


def way_of(landscape: Landscape) -> str:
    """A key of :data:`WAYS`."""
    ladder = landscape.meta.get("sampler") == "ladder"
    return "ladder" if ladder else landscape.settings["estimator"]


def relative(landscape: Landscape) -> tuple[np.ndarray, np.ndarray]:
    """S(x) ``(nx,)`` counted from the rows above :data:`TOP`, and its standard error."""
    top = landscape.grid.x.centres > TOP
    s = np.log(np.nansum(np.exp(landscape.entropies), axis=2))
    s[~np.isfinite(s)] = np.nan
    s = s - np.log(np.nansum(np.exp(s[:, top]), axis=1))[:, None]
    each = landscape.of_walkers(s)
    return s.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(len(each))


def main() -> None:
    """Print S(x) of every run, and draw how far it is from the mean of the ladders."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--out", default="docs/growth_bias.png")
    options = parser.parse_args()
    found = [(run, find_landscape(run)) for run in options.runs]
    curves = [(run, way_of(own), *relative(own)) for run, own in found]
    x = found[0][1].grid.x.centres
    zero = np.mean([s for _, way, s, _ in curves if way == "ladder"], axis=0)
    figure, panel = plt.subplots(figsize=(6.0, 3.8), layout="constrained")
    labelled = set()
    for k, (run, way, s, error) in enumerate(curves):
        rows = [int(np.abs(x - at).argmin()) for at in AT]
        said = "  ".join(f"{s[row]:.2f} ± {error[row]:.2f}" for row in rows)
        print(f"{run}: {way}, S at {AT}: {said}")
        label = None if way in labelled else WAYS[way]
        labelled.add(way)
        shift = 0.02 * (k - len(curves) / 2) / len(curves)
        style = {"fmt": "o-", "ms": 2.5, "lw": 0.8, "elinewidth": 0.8, "color": COLOURS[way]}
        panel.errorbar(x + shift, s - zero, error, label=label, alpha=0.8, **style)
    panel.axhline(0, color="k", lw=0.6)
    panel.set(xlabel="ln(train loss)", ylabel="S minus that of the ladders (nats)")
    panel.legend(fontsize=8, frameon=False)
    print(save(figure, options.out))


if __name__ == "__main__":
    main()
