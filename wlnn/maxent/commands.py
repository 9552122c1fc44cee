"""`wlnn maxent`: parse options, call the package, print and write tables; it computes nothing.

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import click

from wlnn.errors import UserError
from wlnn.maxent.options import (
    Whole,
    contexts_option,
    one_context_option,
    out_option,
    print_table,
    scales_option,
    seed_option,
    with_options,
    write_results,
)
from wlnn.progress import Progress


@click.group("maxent")
def maxent():
    """Maximum-entropy connectivity of a network that selects inputs by context.

    In context k of K a two-layer network must output its k-th input. Of all laws for the weights
    of its hidden units that do this, the one of maximum entropy has a closed form: one Gaussian
    population for every pattern of contexts in which a unit is active. `solve` computes it,
    `sample` draws networks from it, `train` trains ReLU networks by SGD, `compare` sets the two
    side by side with figures, and `landscape` checks it against Wang-Landau sampling.

    After Hruza & Ostojic, arXiv 2605.25607.
    """


@maxent.command()
@with_options(contexts_option, scales_option, out_option)
@click.option(
    "--mode",
    type=click.Choice(["prior", "moment"]),
    default="prior",
    show_default=True,
    help="prior: closest to Gaussian weights of scale sigma. moment: largest entropy with "
    "<w^2> = <m^2> = sigma^2 held (feasible above a smallest sigma only).",
)
@click.option(
    "--f", type=float, default=0.5, show_default=True, help="Prior probability of an active gain."
)
@click.option(
    "--gains",
    type=click.Choice(["annealed", "quenched"]),
    default="annealed",
    show_default=True,
    help="annealed: populations adapt to the task. quenched: they keep their prior shares.",
)
@click.option(
    "--gain",
    type=click.Choice(["step", "sigmoid", "tanh", "relu"]),
    default="step",
    show_default=True,
    help="How a context weight a sets the gain: step (1 if a > 0), sigmoid(a), tanh'(a), or "
    "the mean slope of a ReLU with noise from its input.",
)
@click.option("--context-scale", type=float, help="Scale of a for --gain (default 1; relu: sigma).")
def solve(contexts, scales, out, mode, f, gains, gain, context_scale):
    """Solve for the maximum-entropy law: a table with one row per K and sigma.

    Columns: alpha, beta (the law: U(g) = alpha g + beta n), KL (structure per unit, nats), KL_g
    (of it in the gains), c_g (correlation of gains in two contexts: negative is specialised, 0
    random), R2 and frac_m (structure of output and input weights), N*L (loss of N drawn units
    times N), and per n active contexts: p (population), rho (correlation of w and m), drive
    (share of the task).

    \b
    Examples:
      wlnn maxent solve --contexts 2..8 --weight-scale 0.25,0.5,1,2 --out results
      wlnn maxent solve --contexts 4 --weight-scale 2 --mode moment
    """
    if gain != "step":
        if mode != "prior" or gains != "annealed" or f != 0.5:
            raise UserError(f"--gain {gain} goes with --mode prior, --gains annealed and --f 0.5.")
        rows = _other_gains(contexts, scales, gain, context_scale)
    else:
        from wlnn.maxent import moment, theory
        from wlnn.maxent.checks import check_scale

        if mode == "prior":
            laws = [theory.solve(K, s, f=f, gains=gains) for K in contexts for s in scales]
        else:
            for s in scales:
                check_scale(s)
            laws = [
                moment.solve_moment(K, s * s, f=f, gains=gains) for K in contexts for s in scales
            ]
        rows = [law.record() for law in laws]
    shown = ("K", "sigma", "s", "alpha", "beta", "KL", "KL_g", "c_g", "R2", "frac_m", "N*L", "p")
    print_table(rows, shown)
    write_results(out, "solve", rows, {"command": "solve", "mode": mode, "f": f, "gains": gains})


def _other_gains(contexts, scales, gain, context_scale):
    import numpy as np

    from wlnn.maxent import gains

    rows = []
    for K in contexts:
        for sigma in scales:
            row = {"K": K, "sigma": sigma, "gain": gain}
            if gain == "relu":
                rng = np.random.default_rng(0)
                law = gains.solve_soft_relu(K, sigma, rng, context_scale=context_scale)
                row |= {"alpha": law.alpha, "beta": law.beta, "KL": law.kl, "w2": law.w2}
                row |= {"effective_sample": law.effective_sample, "p": law.p.tolist()}
            else:
                scale = 1.0 if context_scale is None else context_scale
                law = gains.solve_gain_function(K, sigma, gain, context_scale=scale)
                off = law.multipliers[0, -1] if K > 1 else 0.0
                row |= {"alpha": law.multipliers[0, 0] - off, "beta": off, "KL": law.kl}
                row |= {"c_g": law.c_g, "R2": law.p @ law.r2, "max_r2": law.r2.max()}
            rows.append(
                {key: getattr(value, "item", lambda v=value: v)() for key, value in row.items()}
            )
    return rows


@maxent.command()
@with_options(one_context_option, out_option, seed_option)
@click.option("--weight-scale", "scale", type=float, default=1.0, show_default=True, help="sigma.")
@click.option(
    "--units",
    type=Whole(),
    default="30,100,300,1000",
    show_default=True,
    help="Hidden units N: one number or a list.",
)
@click.option("--networks", type=int, default=200, show_default=True, help="Networks per N.")
@click.option("--relu", is_flag=True, help="Evaluate as a ReLU network, not as gated linear units.")
@click.option(
    "--context-scale",
    type=float,
    default=10.0,
    show_default=True,
    help="Scale of context weights; the larger, the closer a ReLU comes to on and off.",
)
@click.option(
    "--antithetic/--independent",
    default=None,
    help="Draw units in mirrored pairs (w, m), (-w, -m), which cancels offsets [default with "
    "--relu], or independently [default without].",
)
def sample(contexts, out, seed, scale, units, networks, relu, context_scale, antithetic):
    """Draw networks from the law and measure their loss against N: the 1/N law.

    With --out also a figure, and one drawn network of the largest N (network.npz: w, m, a).

    \b
    Example: wlnn maxent sample --contexts 3 --weight-scale 1 --units 100,1000 --relu
    """
    import numpy as np

    from wlnn.maxent import sampling, theory

    law = theory.solve(contexts, scale)
    antithetic = relu if antithetic is None else antithetic
    sizes = sorted(units)
    rng = np.random.default_rng(seed)
    floor = 0.0
    if relu:
        floor = sampling.relu_loss_floor(law, rng, context_scale=context_scale)
    with Progress("drawing networks") as progress:
        points = sampling.losses_against_units(
            law,
            sizes,
            rng,
            networks=networks,
            antithetic=antithetic,
            relu=relu,
            context_scale=context_scale,
            floor=floor,
            progress=progress,
        )
    rows = [
        {
            "N": point.units,
            "loss": point.loss,
            "error": point.standard_error,
            "predicted": point.predicted,
            "N*loss": point.units * point.loss,
        }
        for point in points
    ]
    print_table(rows, tuple(rows[0]))
    if relu:
        click.echo(f"loss of an infinitely wide ReLU network: {floor:.4g}")
    about = {"command": "sample", "K": contexts, "sigma": scale, "seed": seed, "relu": relu}
    about |= {"antithetic": antithetic, "networks": networks, "floor": floor}
    folder = write_results(out, "sample", rows, about)
    if folder is not None:
        from wlnn import plot, store
        from wlnn.maxent import figures

        network = sampling.draw_units(
            law, sizes[-1], rng, context_scale=context_scale, antithetic=antithetic
        )
        click.echo(store.save(folder / "network.npz", network._asdict(), about))
        figure = figures.loss_against_units(law, points, floor)
        click.echo(plot.save(figure, folder / "loss-against-units.png"))


_training = with_options(
    contexts_option,
    scales_option,
    click.option("--units", type=int, default=1500, show_default=True, help="Hidden units N."),
    click.option("--seeds", type=int, default=2, show_default=True, help="Networks per setting."),
    click.option("--batch", type=int, default=64, show_default=True, help="Inputs per step."),
    click.option(
        "--learning-rate", type=float, help="Default 0.2, or 0.1 from sigma = 1.5 upwards."
    ),
    click.option("--steps", type=int, help="SGD steps: 1200, or 2400 from sigma = 1.5 upwards."),
    click.option("--processes", type=int, help="Worker processes (default: one per core)."),
    out_option,
)


@maxent.command()
@_training
def train(out, **options):
    """Train ReLU networks by online SGD and print their statistics beside the prediction.

    Initial weights have the same sigma as the law they are compared with; nothing is fitted.
    With --out also networks.npz, with w, m, a of the first network of every setting.

    \b
    Example: wlnn maxent train --contexts 2,4 --weight-scale 0.5,2 --seeds 1
    """
    _compare("train", out, options)


@maxent.command()
@_training
def compare(out, **options):
    """Train, compare with the law, and draw the figures of the study.

    Writes compare.csv and compare.json, networks.npz, and the figures populations,
    population-ratios, specialisation, selectivity, scatter and weights. The default (28 settings,
    2 networks each) takes a few minutes on two cores.

    \b
    Example: wlnn maxent compare --contexts 2..8 --weight-scale 0.25,0.5,1,2 --out results
    """
    rows = _compare("compare", out or "maxent-compare", options)
    _comparison_figures(rows, out or "maxent-compare")


def _compare(name, out, options):
    from wlnn.maxent import comparison
    from wlnn.maxent.tables import output_folder

    if out is not None:
        output_folder(out)  # before minutes of training, not after
    contexts, scales = options.pop("contexts"), options.pop("scales")
    with Progress("training") as progress:
        rows = comparison.compare(contexts, scales, progress=progress, **options)
    records = [row.record() for row in rows]
    shown = ("K", "sigma", "loss_sgd", "c_g_sgd", "c_g_maxent", "rho_bar_sgd", "rho_bar_maxent")
    print_table(records, (*shown, "TV(sgd,maxent)", "TV(sgd,binomial)"))
    summary = comparison.agreement(rows)
    for observable, numbers in summary.items():
        if numbers["pearson"] is not None:
            click.echo(
                f"{observable}: Pearson {numbers['pearson']:.3f}, slope {numbers['slope']:.2f}, "
                f"rms difference {numbers['rms']:.3f} over {numbers['settings']} settings"
            )
    folder = write_results(out, name, records, {"command": name, "agreement": summary, **options})
    if folder is not None:
        from wlnn import store

        arrays = {
            f"{part}_K{row.law.contexts}_sigma{row.law.weight_scale:g}": array
            for row in rows
            for part, array in row.units._asdict().items()
        }
        click.echo(store.save(folder / "networks.npz", arrays, {"command": name, **options}))
    return rows


def _comparison_figures(rows, out):
    from pathlib import Path

    import numpy as np

    from wlnn import plot
    from wlnn.maxent import figures, sampling

    rows = [row for row in rows if row.law.contexts > 1]
    if not rows:
        click.echo("no figures: K = 1 has no gain correlation.", err=True)
        return
    shown = min(rows, key=lambda row: (abs(row.law.weight_scale - 1), abs(row.law.contexts - 4)))
    sampled = sampling.draw_units(shown.law, len(shown.units.w), np.random.default_rng(0))
    pictures = {
        "populations": figures.populations(rows),
        "population-ratios": figures.population_ratios(rows),
        "specialisation": figures.specialisation(rows),
        "selectivity": figures.selectivity(rows),
        "scatter": figures.scatter(rows),
        "weights": figures.weights(shown.law, sampled, shown.units),
    }
    for name, figure in pictures.items():
        click.echo(plot.save(figure, Path(out) / f"{name}.png"))


@maxent.command()
@with_options(out_option, seed_option)
@click.option("--contexts", type=int, default=2, show_default=True, help="K, number of contexts.")
@click.option("--units", type=int, default=16, show_default=True, help="Hidden units N.")
@click.option("--box", type=float, default=2.0, show_default=True, help="b: parameters in [-b, b].")
@click.option(
    "--net",
    type=click.Choice(["gain-linear", "relu"]),
    default="gain-linear",
    show_default=True,
    help="gain-linear: gated linear units, with theory. relu: ReLU units on fixed inputs.",
)
@click.option(
    "--ungated", is_flag=True, help="K = 1 only: units always active; exact result known."
)
@click.option("--inputs", type=int, default=16, show_default=True, help="Inputs +-x of a ReLU net.")
@click.option("--input-scale", type=float, default=0.3, show_default=True, help="Their scale s_x.")
@click.option(
    "--steps", type=int, default=20_000_000, show_default=True, help="Steps of each walker."
)
@click.option("--walkers", type=int, default=4, show_default=True, help="Independent walkers.")
@click.option("--threads", type=int, help="Walkers at a time (default: one per core).")
def landscape(out, seed, steps, walkers, threads, ungated, box, **options):
    """Sample ln g(ln L) by Wang-Landau, with parameters uniform in a box, and look at the units.

    At low loss a random network of given loss is a draw from the maximum-entropy law of the box:
    the table sets ln g beside the theory and shows how the populations p(n) and the correlations
    rho(n) of w with its active inputs grow out of the random box as the loss falls.
    With --out also the figure, and the run itself in a folder `run` (for `wlnn info`, `wlnn plot`);
    an interrupted run is continued there.

    \b
    Examples:
      wlnn maxent landscape --contexts 2 --units 16 --box 2 --out results
      wlnn maxent landscape --net relu --units 24 --steps 5000000
    """
    from wlnn.maxent.context_select import context_problem
    from wlnn.maxent.landscape import sample_landscape
    from wlnn.maxent.tables import output_folder
    from wlnn.maxent.workers import default_processes
    from wlnn.run import Interrupted
    from wlnn.settings import WLMCSettings

    problem = context_problem(half_width=box, gated=not ungated, **options)
    stages = max(1, min(400, steps // 10_000))
    settings = WLMCSettings(steps=steps, stages=stages, walkers=walkers, seed=seed, production=0.4)
    directory = None if out is None else output_folder(out) / "run"
    click.echo(f"{walkers} walkers of {1.5 * steps:.2g} steps; a first run compiles", err=True)
    try:
        with Progress("sampling") as progress:
            result = sample_landscape(
                problem,
                settings,
                directory=directory,
                threads=threads or default_processes(),
                progress=progress,
            )
    except Interrupted:
        if directory is not None:
            click.echo(f"saved in {directory}; the same command continues", err=True)
        raise KeyboardInterrupt from None
    rows = result.records()
    shown = tuple(name for name in rows[0] if name not in ("rho", "networks"))
    print_table(rows[:: max(1, len(rows) // 20)], shown)
    about = {"command": "landscape", **problem.about, "steps": steps, "walkers": walkers}
    folder = write_results(out, "landscape", rows, {**about, "seed": seed})
    if folder is not None:
        from wlnn import plot
        from wlnn.maxent import figures

        click.echo(folder / "run" / "landscape.npz")
        click.echo(plot.save(figures.landscape(result), folder / "landscape.png"))
