"""`wlnn maxent solve` and `sample`: the law, and networks drawn from it."""

from __future__ import annotations

import click

from wlnn.base.errors import UserError
from wlnn.base.progress import Progress
from wlnn.cli.maxent_options import (
    SIGMA_HELP,
    Whole,
    contexts_option,
    is_given,
    one_context_option,
    out_option,
    print_table,
    scales_option,
    seed_option,
    write_results,
)
from wlnn.cli.numbers import Count, Number
from wlnn.cli.options import options_of

SHOWN = ("K", "sigma", "s", "alpha", "beta", "KL", "KL_g", "c_g", "R2", "frac_m", "N*L", "p")


@click.command(short_help="Solve for the law: one row per K and sigma.")
@options_of(contexts_option, scales_option, out_option)
@click.option(
    "--mode",
    type=click.Choice(["prior", "moment"]),
    default="prior",
    show_default=True,
    help="prior: closest to Gaussian weights of scale sigma. moment: largest entropy with "
    "<w^2> = <m^2> = sigma^2 held (feasible above a smallest sigma only).",
)
@click.option(
    "--f",
    type=Number(),
    default=0.5,
    show_default=True,
    help="Prior probability of an active gain.",
)
@click.option(
    "--gains",
    type=click.Choice(["annealed", "quenched"]),
    default="annealed",
    show_default=True,
    help="annealed: populations adapt to the task. quenched: frozen, they keep their prior shares.",
)
@click.option(
    "--gain",
    type=click.Choice(["step", "sigmoid", "tanh", "relu"]),
    default="step",
    show_default=True,
    help="How a context weight a sets the gain: step (1 if a > 0), sigmoid(a), tanh'(a), or "
    "the mean slope of a ReLU with noise from its input.",
)
@click.option(
    "--context-scale", type=Number(), help="Scale of a for --gain (default 1; relu: sigma)."
)
@click.option(
    "--target",
    type=click.Path(dir_okay=False),
    help="Text file with another target than the identity: K rows of the moments <w g_k m_d>.",
)
def solve(contexts, scales, out, mode, f, gains, gain, context_scale, target):
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
      wlnn maxent solve --target moments.txt --weight-scale 1
    """
    options = {"mode": mode, "f": f, "gains": gains, "gain": gain}
    if target is not None and gain != "step":
        raise UserError("--target goes with --gain step.")
    if target is not None:
        if mode != "prior":
            raise UserError("--target goes with --mode prior.")
        if is_given("contexts"):
            raise UserError("--target has one row per context: leave --contexts out.")
        options["target"] = target
        rows = _with_target(target, scales, f, gains)
    elif gain != "step":
        if mode != "prior" or gains != "annealed" or f != 0.5:
            raise UserError(f"--gain {gain} goes with --mode prior, --gains annealed and --f 0.5.")
        options["context_scale"] = context_scale
        rows = _with_gain(contexts, scales, gain, context_scale)
    else:
        if context_scale is not None:
            raise UserError("--context-scale goes with --gain sigmoid, tanh or relu.")
        rows = [law.record() for law in _laws(contexts, scales, mode, f, gains)]
    print_table(rows, SHOWN)
    folder = write_results(out, "solve", rows, {"command": "solve", **options})
    if folder is not None and gain == "step" and target is None and mode == "prior":
        _draw_laws(folder, contexts, scales, f, gains)


def _laws(contexts, scales, mode, f, gains):
    from wlnn.base.checks import check_scale
    from wlnn.maxent import moment, theory

    if mode == "prior":
        return [theory.solve(K, s, f=f, gains=gains) for K in contexts for s in scales]
    scales = [check_scale(s) for s in scales]
    return [moment.solve_moment(K, s * s, f=f, gains=gains) for K in contexts for s in scales]


def _draw_laws(folder, contexts, scales, f, gains):
    from functools import partial

    from wlnn.maxent import theory
    from wlnn.report import plot, plot_maxent

    contexts = [K for K in contexts if K > 1]
    if not contexts:
        return
    law = partial(theory.solve, f=f, gains=gains)
    for draw in (plot_maxent.specialisation, plot_maxent.selectivity):
        figure = draw(contexts, scales, law=law)
        click.echo(plot.save(figure, folder / f"{draw.__name__}.png"))


def _with_target(file, scales, f, gains):
    from wlnn.cli.maxent_tables import read_matrix
    from wlnn.maxent.patterns import binary_patterns, solve_patterns

    target = read_matrix(file)
    patterns = binary_patterns(len(target), f)
    return [solve_patterns(*patterns, s, target=target, gains=gains).record() for s in scales]


def _with_gain(contexts, scales, gain, context_scale):
    import numpy as np

    from wlnn.maxent import gains

    rows = []
    for K in contexts:
        for sigma in scales:
            if gain == "relu":
                rng = np.random.default_rng(0)
                law = gains.solve_soft_relu(K, sigma, rng, context_scale=context_scale)
            else:
                scale = 1.0 if context_scale is None else context_scale
                law = gains.solve_gain_function(K, sigma, gain, context_scale=scale)
            rows.append({"gain": gain, **law.record()})
    return rows


@click.command(short_help="Draw networks from the law: loss against N.")
@options_of(one_context_option, out_option, seed_option)
@click.option(
    "--weight-scale", "scale", type=Number(), default=1.0, show_default=True, help=SIGMA_HELP
)
@click.option(
    "--units",
    type=Whole(),
    default="30,100,300,1000",
    show_default=True,
    help="Hidden units N: one number or a list.",
)
@click.option(
    "--networks",
    type=Count(2, 1_000_000),
    default=200,
    show_default=True,
    help="Networks per N.",
)
@click.option("--relu", is_flag=True, help="Evaluate as a ReLU network, not as gated linear units.")
@click.option(
    "--context-scale",
    type=Number(),
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
        from wlnn.base import store
        from wlnn.report import plot, plot_maxent

        network = sampling.draw_units(
            law, sizes[-1], rng, context_scale=context_scale, antithetic=antithetic
        )
        click.echo(store.save(folder / "network.npz", network._asdict(), about))
        figure = plot_maxent.loss_against_units(law, points, floor)
        click.echo(plot.save(figure, folder / "loss-against-units.png"))
