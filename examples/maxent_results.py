"""Maximum-entropy connectivity: specialised and structured when rich or small, random when not.

Prints, and draws into a folder, the results of the study (Hruza & Ostojic, arXiv 2605.25607):

1. Gains of two contexts are anticorrelated (specialised units) for few contexts K, and become
   random as K grows; weights are structured at small weight scale sigma and random at large.
2. ReLU networks trained by SGD follow the law of the same sigma, with nothing fitted.
3. The entropy landscape of a network in a box shows the same law at low loss: ln g(ln L) by
   Wang-Landau sampling lies on the theory, and p(n) goes from the law to the random box.

    python examples/maxent_results.py [--quick] [--out FOLDER]

About five minutes on two cores; with --quick half a minute and noisier points.
"""

import argparse
from pathlib import Path

from wlnn import plot
from wlnn.maxent import agreement, compare, context_problem, figures, sample_landscape, solve
from wlnn.progress import Progress
from wlnn.settings import WLMCSettings

SCALES = [0.25, 0.5, 1, 2]


def theory(contexts):
    """Table of c_g and of the selectivity index R2 of the law, one line per K."""
    print("maximum entropy: c_g | R2 at sigma =", *SCALES)
    for K in contexts:
        laws = [solve(K, sigma) for sigma in SCALES]
        left = "  ".join(f"{law.c_g:+.3f}" for law in laws)
        print(f"K = {K}:  {left}  |  " + "  ".join(f"{law.R2:.3f}" for law in laws))


def trained(contexts, quick, out):
    """SGD against the law: agreement over all settings, and the figures."""
    size = {"units": 500, "seeds": 1, "steps": 400} if quick else {}
    with Progress("training") as progress:
        rows = compare(contexts, SCALES, progress=progress, **size)
    for name, numbers in agreement(rows).items():
        print(
            f"{name}: Pearson {numbers['pearson']:.3f}, slope {numbers['slope']:.2f}, rms "
            f"{numbers['rms']:.3f} between SGD and the law over {numbers['settings']} settings"
        )
    for draw in (figures.specialisation, figures.selectivity):
        print(plot.save(draw(contexts, SCALES, rows), out / f"{draw.__name__}.png"))
    for draw in (figures.scatter, figures.populations):
        print(plot.save(draw(rows), out / f"{draw.__name__}.png"))


def sampled(quick, out):
    """Wang-Landau landscapes of gated linear units and of ReLU units, K = 2."""
    steps = 1_000_000 if quick else 20_000_000
    cases = {"gain-linear": {"units": 16}, "relu": {"units": 24}}
    for net, size in cases.items():
        settings = WLMCSettings(steps=steps, walkers=2 if quick else 4, stages=100, production=0.4)
        with Progress(f"sampling {net}") as progress:
            result = sample_landscape(
                context_problem(2, net=net, **size), settings, threads=2, progress=progress
            )
        low = result.records()[2]
        p = ", ".join(f"{value:.3f}" for value in low["p"])
        print(f"{net}: at ln L = {low['ln_L']:.2f} ln g = {low['ln_g']:.2f}, p(n) = {p}")
        if result.theory is not None:
            p = ", ".join(f"{value:.3f}" for value in result.theory.law.p_n)
            print(f"    theory, L -> 0: ln g = {low['small_loss']:.2f}, p(n) = {p}")
        print(plot.save(figures.landscape(result), out / f"landscape-{net}.png"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half a minute, noisier")
    parser.add_argument("--out", type=Path, default=Path("runs/maxent-results"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    contexts = [2, 4] if options.quick else [2, 3, 4, 6, 8]
    theory(contexts)
    trained(contexts, options.quick, options.out)
    sampled(options.quick, options.out)
