"""Spiral regression by molecular dynamics, judged by ordinary Langevin dynamics on the train loss.

A landscape S(ln train loss, ln test loss) predicts where networks at temperature kT are: (x, y) has
the density exp(S(x, y) - e^x / kT). Here such a walk is made, without table, hills or walls: the
potential L / kT is all it feels. Its means must be the predicted ones.

    wlnn sample --task spiral-regress --sampler wlmd --width 30
    python examples/wlmd_spiral.py runs/spiral-regress-2x30-s0

prints both, and the test loss of largest entropy at ln(train loss) = -1, -2, -3, -4, and draws the
landscape with the points of the walks into wlmd_spiral.png. Two minutes.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from wlnn import (
    Landscape,
    MDSettings,
    NetworkVariables,
    find_landscape,
    md,
    plot_landscape,
    read_recipe,
    save_picture,
)

DT, FRICTION, RECORD = 5e-4, 1e-3, 100  # time step in units of 1 / sqrt(curvature of L / kT)
ROWS = 0.1  # half height of the stretch of x over which a max-entropy point is taken


def langevin(problem, kt: float, steps: int, seed: int) -> tuple[np.ndarray, float]:
    """x and y ``(n, 2)`` of the second half of a walk at temperature kT, and its own temperature.

    `wlnn md` in Python: it knows neither tables nor hills nor walls.
    """
    settings = MDSettings(
        temperature=kt, dt=DT / math.sqrt(kt), friction=FRICTION, steps=steps, record=RECORD,
        walkers=1, seed=seed,
    )  # fmt: skip
    motion = md(problem, settings).table()
    half = slice(motion["step"].size // 2, None)
    if not np.isfinite(motion["y"]).all():
        raise SystemExit(f"kT = {kt:g}: the walker diverged; a smaller time step is needed")
    points = np.stack([motion["x"][half], motion["y"][half]], axis=1)
    return points, float(motion["kinetic"][half].mean())


def predicted(landscape: Landscape, kt: float) -> np.ndarray:
    """<x> and <y> at temperature kT of every table, ``(R, 2)``."""
    x, y = np.meshgrid(landscape.grid.x.centres, landscape.grid.y.centres, indexing="ij")
    means = []
    for entropy in landscape.entropies:
        weight = np.where(np.isnan(entropy), -np.inf, entropy - np.exp(x) / kt)
        weight = np.exp(weight - weight.max())
        means.append([(weight * value).sum() / weight.sum() for value in (x, y)])
    return np.array(means)


def ridge(landscape: Landscape, at: float) -> np.ndarray:
    """y of largest S at x = ``at``, one per table ``(R,)``: top of a parabola through the peak.

    S is averaged over the stretch ``at`` +- ROWS first; its noise from bin to bin is that of hills.
    """
    x, y = landscape.grid.x.centres, landscape.grid.y.centres
    rows = np.abs(x - at) <= ROWS
    found = []
    for entropy in landscape.entropies:
        mean = entropy[rows].mean(axis=0)
        if np.isfinite(mean).sum() < 3:
            return np.full(1, np.nan)  # not reached
        top = np.nanmax(mean)
        near = mean > top - 3.0
        a, b, _ = np.polyfit(y[near], mean[near], 2)
        found.append(-b / (2 * a))
    return np.array(found)


def with_error(values: np.ndarray, factor: float) -> str:
    """Mean over tables with its 95 % interval."""
    half = factor * values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{values.mean():.2f} ± {half:.2f}"


def main() -> None:
    """Print both tables and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="directory of the run")
    parser.add_argument("--kt", default="8e-4,2e-4", help="temperatures")
    parser.add_argument("--steps", type=int, default=600_000, help="of each walk")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="wlmd_spiral.png")
    options = parser.parse_args()
    landscape = find_landscape(options.run)
    factor = landscape.t_factor()
    print(f"{'ln(train loss)':>15}  ln(test loss) of largest entropy, 95 % intervals")
    for at in (-1.0, -2.0, -3.0, -4.0):
        print(f"{at:15.1f}  {with_error(ridge(landscape, at), factor)}")
    problem = NetworkVariables(read_recipe(options.run).task()).problem()
    axes = plot_landscape(landscape)
    print(
        f"\n{'kT':>8}  {'<x> predicted':>16}  {'walked':>13}  {'<y> predicted':>16}  {'walked':>13}"
    )
    for kt in map(float, options.kt.split(",")):
        points, temperature = langevin(problem, kt, options.steps, options.seed)
        guess = predicted(landscape, kt)
        halves = points.reshape(2, -1, 2).mean(1)
        text = f"{kt:8.1e}"
        for k in range(2):
            spread = 0.5 * abs(halves[0, k] - halves[1, k])
            walked = f"{points[:, k].mean():.3f} ± {spread:.3f}"
            text += f"  {with_error(guess[:, k], factor):>16}  {walked:>16}"
        print(f"{text}  temperature {temperature:.3f}", flush=True)
        some = points[:: max(len(points) // 150, 1)]
        axes.plot(*some.T, ".", color="white", markersize=2.5, markeredgewidth=0)
        axes.plot(*points.mean(0), "o", color="black", markersize=4)
    save_picture(axes.figure, options.out)


if __name__ == "__main__":
    main()
