"""What S averaged while it grows lacks, and how one frozen S cures it: draws docs/growth_bias.png.

With estimator "average" ln f stays above 0, and walkers lag behind S: S(x) is too deep at low
losses, in all walkers alike, in proportion to ln f. Visits to one frozen S lag behind nothing, and
however S was learnt they give the same:

    for seed in 0 1; do
        for c in 50 25 8; do
            wlnn sample --seed $seed --set wlmc.c=$c --out runs/common-$c-$seed
            wlnn sample --seed $seed --set wlmc.c=$c --set wlmc.estimator=average --steps 1e8 \\
                --set wlmc.production=0.5 --out runs/average-$c-$seed
        done
        wlnn sample --seed $seed --set wlmc.ln_f0=0.01 --out runs/start-$seed
        wlnn sample --seed $seed --sampler ladder --out runs/ladder-$seed
    done
    python benchmarks/growth_bias.py runs/* [--out docs/growth_bias.png]
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
import numpy as np

from wlnn.landscape.landscape import Landscape
from wlnn.report.plot import save
from wlnn.runs.find import find_landscape


def ln_f_of(landscape: Landscape) -> float:
    """ln f while S was averaged, mean over walkers."""
    return float(landscape.history["ln_f"][:, -1].mean())


def s_at(landscape: Landscape, x: float) -> tuple[float, float]:
    """S in the row of ``x`` and its standard error."""
    curve = landscape.marginal_entropy()
    k = int(np.abs(curve.x - x).argmin())
    return float(curve.value[k]), float(curve.error[k])


def label_of(landscape: Landscape) -> str:
    """What sets a run apart."""
    if "ln_f" not in landscape.history:
        return "ladder"
    settings = landscape.settings
    start = f",\n$\\ln f_0$ = {settings['ln_f0']:g}" if settings["ln_f0"] != 0.05 else ""
    return f"c = {settings['c']:g}{start}"


def main() -> None:
    """Print S in one row of every run and the line through the averaged ones; draw both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--at", type=float, default=-3.05, help="ln(train loss)")
    parser.add_argument("--out", default="docs/growth_bias.png")
    options = parser.parse_args()
    found = [find_landscape(run) for run in options.runs]
    grown = [one for one in found if one.settings.get("estimator") == "average"]
    frozen = [one for one in found if one.settings.get("estimator") != "average"]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7.0, 3.4), layout="constrained", sharey=True, width_ratios=(1, 1.4)
    )

    ln_f = np.array([ln_f_of(one) for one in grown])
    s, error = np.array([s_at(one, options.at) for one in grown]).T
    slope, zero = np.polyfit(ln_f, s, 1, w=1 / error)
    left.errorbar(1e4 * ln_f, s, error, fmt="o", ms=4, color="tab:red", capsize=2)
    line = np.array([0, 1.05 * ln_f.max()])
    left.plot(1e4 * line, zero + slope * line, color="tab:red", lw=0.8)
    left.set(xlabel="$10^4$ ln f while S is averaged", ylabel=f"S at ln L = {options.at:g} (nats)")
    left.set_xlim(0)
    left.set_title("(a) mean of an S that grows", fontsize=9, loc="left")
    for one, f, value, e in zip(grown, ln_f, s, error, strict=True):
        print(f"{label_of(one)}, averaged at ln f = {f:.2g}: S = {value:.2f} +- {e:.2f}")
    print(f"line to ln f = 0: {zero:.2f}, slope {slope:.0f}")

    labels = sorted(
        {label_of(one) for one in frozen}, key=lambda name: (name == "ladder", len(name), name)
    )
    values = np.array([s_at(one, options.at) for one in frozen])
    for k, label in enumerate(labels):
        rows = np.array([label_of(one) == label for one in frozen])
        places = k + np.linspace(-0.15, 0.15, rows.sum()) if rows.sum() > 1 else [k]
        color = "tab:green" if label == "ladder" else "tab:blue"
        right.errorbar(
            places, values[rows, 0], values[rows, 1], fmt="o", ms=4, color=color, capsize=2
        )
        words = ", ".join(f"{v:.2f} +- {e:.2f}" for v, e in values[rows])
        print(f"{label!r}, one frozen S: {words}")
    weight = values[:, 1] ** -2.0
    mean = float((weight * values[:, 0]).sum() / weight.sum())
    chi = float((weight * (values[:, 0] - mean) ** 2).sum() / (len(values) - 1))
    print(f"mean {mean:.2f} +- {weight.sum() ** -0.5:.2f}, chi-square {chi:.2f}")
    for panel in (left, right):
        panel.axhline(mean, color="0.3", lw=0.8, ls="--")
        panel.tick_params(labelsize=8)
    right.set_xticks(range(len(labels)), labels)
    right.set_title("(b) visits to one frozen S, and ladders", fontsize=9, loc="left")
    print(save(figure, options.out))


if __name__ == "__main__":
    main()
