"""Maximum-entropy connectivity: specialised and structured when rich or small, random when not.

Prints, as Markdown tables, and draws into a folder the results of the study (Hruza & Ostojic,
arXiv 2605.25607):

1. Gains of two contexts are anticorrelated (specialised units) for few contexts K, and become
   random as K grows; weights are structured at small weight scale sigma and random at large.
2. ReLU networks trained by SGD follow the law of the same sigma, with nothing fitted.
3. Networks drawn from the law do the task with a loss that falls as 1/N.
4. The entropy landscape of a network in a box shows the same law at low loss: ln g(ln L) by
   Wang-Landau sampling lies on the theory, and p(n) goes from the law to the random box.

    python examples/maxent_results.py [--quick] [--out FOLDER]

About five minutes on two cores; with --quick half a minute and noisier points. Trained networks
are kept in FOLDER and not trained again.
"""

import argparse
from pathlib import Path

import numpy as np

from wlnn import Progress, WLMCSettings
from wlnn import plot_maxent as figures
from wlnn.maxent import (
    agreement,
    compare,
    context_problem,
    draw_units,
    losses_against_units,
    sample_landscape,
    solve,
    solve_box,
)

SCALES = [0.25, 0.5, 1, 2]


def table(title, header, rows):
    """Print a Markdown table; numbers with three decimals."""
    print(f"\n{title}\n\n| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    for row in rows:
        cells = [cell if isinstance(cell, str) else f"{cell:.3f}" for cell in row]
        print("| " + " | ".join(cells) + " |")


def populations(p):
    """p(n) in words."""
    return " ".join(f"{value:.3f}" for value in p)


def keep(figure, path):
    """Write a picture, smaller than those of the commands."""
    figure.savefig(path, dpi=110)
    print(path)


def law(contexts):
    """1. Indices of the law against K and sigma."""
    for name, title in (
        ("c_g", "c_g, correlation of the gains of two contexts (0: random)"),
        ("bits_per_gain", "KL_g / (K ln 2), structured bits per gain"),
        ("R2", "R^2, share of output-weight variance explained by gated inputs (0: random)"),
        ("frac_m", "share of input-weight variance along one direction (1/K: random)"),
    ):
        scales = [*SCALES, 4]
        rows = [[str(K), *(getattr(solve(K, s), name) for s in scales)] for K in contexts]
        table(title, ["K", *(f"sigma = {s:g}" for s in scales)], rows)


def trained(contexts, quick, out):
    """2. SGD against the law: every setting, agreement over all, and the figures."""
    size = {"units": 500, "seeds": 1, "steps": 400} if quick else {}
    (out / "networks").mkdir(parents=True, exist_ok=True)
    with Progress("training") as progress:
        rows = compare(contexts, SCALES, directory=out / "networks", progress=progress, **size)
    names = ("c_g_sgd", "c_g_maxent", "rho_bar_sgd", "rho_bar_maxent", "TV(sgd,maxent)")
    names += ("TV(sgd,binomial)",)
    records = [row.record() for row in rows]
    lines = [[str(r["K"]), f"{r['sigma']:g}", *(r[name] for name in names)] for r in records]
    table("Trained networks against the law", ["K", "sigma", *names], lines)
    print()
    for name, numbers in agreement(rows).items():
        print(
            f"{name}: Pearson {numbers['pearson']:.3f}, slope {numbers['slope']:.2f}, rms "
            f"{numbers['rms']:.3f} between SGD and the law over {numbers['settings']} settings"
        )
    for draw in (figures.specialisation, figures.selectivity):
        keep(draw(contexts, SCALES, rows), out / f"{draw.__name__}.png")
    for draw in (figures.scatter, figures.populations, figures.population_ratios):
        keep(draw(rows), out / f"{draw.__name__}.png")
    shown = next(row for row in rows if row.law.contexts == 4 and row.law.weight_scale == 1)
    drawn = draw_units(shown.law, len(shown.units.w), np.random.default_rng(0))
    keep(figures.weights(shown.law, drawn, shown.units), out / "weights.png")


def drawn(quick, out):
    """3. The 1/N law."""
    one = solve(3, 1.0)
    points = losses_against_units(
        one, [30, 100, 300, 1000], np.random.default_rng(0), networks=50 if quick else 400
    )
    rows = [[str(q.units), q.loss, q.standard_error, q.predicted] for q in points]
    table("Loss of drawn networks, K = 3, sigma = 1", ["N", "mean", "error", "law"], rows)
    keep(figures.loss_against_units(one, points, 0.0), out / "loss-against-units.png")


def landscapes(quick, out):
    """4. Wang-Landau landscapes of gated linear units (N = 8, 16, 32) and of ReLU units, K = 2."""
    cases = [("gain-linear", N) for N in ((16,) if quick else (8, 16, 32))] + [("relu", 24)]
    rows = []
    for net, N in cases:
        steps = 1_000_000 if quick else 50_000_000 if net == "gain-linear" else 10_000_000
        settings = WLMCSettings(steps=steps, walkers=2 if quick else 4, stages=100, production=0.4)
        with Progress(f"sampling {net}, N = {N}") as progress:
            result = sample_landscape(
                context_problem(2, N, net=net), settings, threads=2, progress=progress
            )
        for ln_loss in (-7.75, -5.95, -4.15, -2.35) if net == "gain-linear" else (-3.85, 0.35):
            k = int(result.problem.grid.x.index(ln_loss))
            known = result.theory is not None and np.isfinite(result.theory.small_loss[k])
            theory = result.theory.small_loss[k] if known else ""
            units = populations(result.p_n[k]), populations(result.rho[k][1:])
            rows.append([net, str(N), f"{ln_loss:.2f}", result.ln_g[k], theory, *units])
        if N in (16, 24):
            keep(figures.landscape(result), out / f"landscape-{net}.png")
    header = ["net", "N", "ln L", "ln g, Wang-Landau", "small-loss formula", "p(n)", "rho(n)"]
    table("Landscapes, K = 2, box 2", header, rows)
    print(f"\np(n) of the law of the box, L = 0: {populations(solve_box(2, 2.0).p_n)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half a minute, noisier")
    parser.add_argument("--out", type=Path, default=Path("runs/maxent-results"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    contexts = [2, 4] if options.quick else [2, 3, 4, 6, 8]
    law(contexts)
    trained(contexts, options.quick, options.out)
    drawn(options.quick, options.out)
    landscapes(options.quick, options.out)
