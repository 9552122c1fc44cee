"""`wlnn info`, `plot`, `networks`, `merge`, `verify`: what came out, and whether to believe it.

It parses, calls and prints; everything heavy is imported inside the commands.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from wlnn.base.errors import UserError
from wlnn.cli.numbers import Count, Number, numbers
from wlnn.cli.options import options_of

UNITS = click.Choice(["bin", "axis", "exp"])
per_x_option = click.option(
    "--per",
    type=UNITS,
    default="bin",
    show_default=True,
    help="S along x: per bin, per unit of the axis (ln L), or per unit of exp(axis) (L itself). "
    "S per unit of L = S per unit of ln L - ln L.",
)


style_options = options_of(
    click.option(
        "--style",
        type=click.Choice(["screen", "paper", "slide"]),
        default="screen",
        show_default=True,
        help="Fonts and lines; 'paper' has no title, which the caption says.",
    ),
    click.option(
        "--width-cm",
        type=Number(4, 100),
        metavar="CM",
        help="Width as printed, e.g. 8.6 for a column; no letter is below 7 points.",
    ),
)


@click.command(short_help="What came out, and how far to trust it.")
@click.argument("result", type=click.Path())
@per_x_option
@click.option("--all", "every", is_flag=True, help="List every row of x, not a dozen.")
@click.option("--json", "as_json", is_flag=True, help="As JSON; ± there is one standard error.")
def info(result, per, every, as_json):
    """Show a run (directory or landscape.npz): settings, trust, curves with 95 % intervals.

    Also of a run that is still going on, or was killed: it then reads the checkpoints. Of trainings
    (wlnn train) it shows where they end and their mean curve, with standard errors; of wlnn md its
    averages, of wlnn tune its table. --json prints these lines, and the curves as numbers, for
    programs; wlnn export has all tables.

    \b
    What to look at:
      verdict      publishable; look again, or too short, with the one thing to change
      reached      the lowest loss, and the round trips between it and the highest loss
      R-hat, effective sample size, two halves, uniform draws, largest error
                   what the verdict weighs; the limit stands beside each
      zero of S    absolute entropies, or relative ones where uniform draws never reach the window
    """
    from wlnn.report.landscape import summary
    from wlnn.report.other_runs import other_run, versions_in_words
    from wlnn.report.training import curve_in_words, in_words
    from wlnn.runs.find import find_landscape, find_result
    from wlnn.training.trained import Trained, is_trained

    rows = None if every else 12
    if is_trained(result):
        trained = Trained.load(result)
        y = trained.meta["task"]["y"]
        lines = [*in_words(trained, y), "", *curve_in_words(trained, y, rows)]
    else:
        lines = other_run(result) or summary(find_landscape(result), per, rows)
    lines += versions_in_words(result)
    if as_json:
        from wlnn.report.export import in_brief

        lines = [in_brief(find_result(result), lines)]
    click.echo("\n".join(lines))


@click.command(short_help="Draw landscape.png and diagnostics.png.")
@click.argument("results", nargs=-1, required=True, type=click.Path())
@per_x_option
@click.option(
    "--per-y", type=UNITS, default="bin", show_default=True, help="The same for S along y."
)
@click.option(
    "--out", type=click.Path(dir_okay=False), help="Only the landscape, as .png, .pdf or .svg."
)
@style_options
@click.option(
    "--contours", is_flag=True, help="Where S is 1, 2, 4, 8 nats below the row's highest."
)
def plot(results, per, per_y, out, style, width_cm, contours):
    """Draw landscape.png (S in colour, with its curves) and diagnostics.png into a run directory.

    Magenta: the equilibrium curve, the mean of y over all networks of one training loss. Dashed:
    the y of the highest entropy. Pale bins are not reliable: too few walkers were there.

    \b
      wlnn plot runs/... --out fig1.pdf --style paper --width-cm 8.6
    """
    from wlnn.runs.find import find_landscape

    if out is not None and len(results) > 1:
        raise UserError("--out names one picture; give one result with it.")
    for result in results:
        folder = Path(result) if Path(result).is_dir() else Path(result).parent
        landscape = find_landscape(result)
        for path in draw(landscape, folder, (per, per_y), out, style, width_cm, contours):
            click.echo(path)


def draw(
    landscape,
    folder: Path,
    per: tuple[str, str] = ("bin", "bin"),
    out: str | None = None,
    style: str = "screen",
    width_cm: float | None = None,
    contours: bool = False,
) -> list[Path]:
    """Both pictures of a landscape, or the diagnostics alone where there is a single y bin.

    With ``out`` only the landscape, to that path. The diagnostics are twice as wide.
    """
    from wlnn.report import plot
    from wlnn.report.plot_style import fitted, styled

    paths = []
    with styled(style):
        if landscape.grid.y.n > 1 or out is not None:
            figure = plot.plot_landscape(landscape, per=per, contours=contours).figure
            path = out or folder / "landscape.png"
            paths.append(plot.save(fitted(figure, style, width_cm), path))
        if out is None:
            figure = fitted(plot.plot_diagnostics(landscape), style, width_cm and 2 * width_cm)
            paths.append(plot.save(figure, folder / "diagnostics.png"))
    return paths


@click.command(short_help="List and export networks that were kept.")
@click.argument("result", type=click.Path())
@click.option("--at", metavar="X,Y", required=True, help="Where to look, e.g. -3,0.9.")
@click.option("--count", type=Count(1), default=5, show_default=True, help="How many.")
@click.option("--export", type=click.Path(dir_okay=False), help="Write the nearest to an npz file.")
def networks(result, at, count, export):
    """List stored networks near a macrostate (x, y), and export one: parameters by name.

    A run made with --keep-networks holds one network of every bin that walker 0 came to (Monte
    Carlo), or of every cell of x and y that a walker was in at the end of a round (molecular
    dynamics). Where y is a smoothed accuracy, --at takes that accuracy, 0 to 1. An npz file has the
    flat vector "theta" and its tensors by name: W0 (out, in), b0 (out,), conv0.W and so on, or as
    in the state_dict of a network from PyTorch; a pt file (with PyTorch) has the tensors alone.

    \b
      wlnn networks runs/spiral-classify-3x6-s0 --at -3,0.9 --export network.npz
    """
    from wlnn.runs.find import find_landscape
    from wlnn.runs.networks import export_network, nearest_networks

    landscape = find_landscape(result)
    x, y = numbers("--at", at, 2)
    found = nearest_networks(landscape, x, y, count)
    axes, true = landscape.grid, "true accuracy  " * bool(landscape.accuracy_axis)
    y_name = "smoothed accuracy" if true else axes.y.name
    click.echo(f"{axes.x.name:>16}  {y_name:>17}  {true}{'S (nats)':>10}  largest |parameter|")
    for kept in found:
        size = abs(kept.theta).max()
        accuracy = f"{kept.accuracy:13.3f}  " * bool(true)
        click.echo(f"{kept.x:16.3f}  {kept.y:17.3f}  {accuracy}{kept.entropy:10.2f}  {size:.3f}")
    if export is not None:
        click.echo(export_network(landscape, found[0], export))


@click.command(short_help="Join runs with different seeds, or of windows that overlap.")
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option("--out", type=click.Path(file_okay=False), help="Directory of the joint result.")
def merge(runs, out):
    """Join runs of one problem with different seeds (a job array, say) into one landscape.

    Every walker counts alike, so error bars shrink as walkers are added. Runs that are not finished
    bring what their checkpoints hold.

    \b
      wlnn sample --seed $SLURM_ARRAY_TASK_ID        in each job
      wlnn merge runs/spiral-classify-3x6-s*
      wlnn merge low high      of --window=-4,-1 and --window=-2,1, say

    Runs of several windows with the same bins become one landscape over all of them: each is
    shifted, walker by walker, to the rows that it shares with the window above it.

    Let each job have its eight walkers: they find one S together and are counted on it. A job of
    one walker (--walkers 1) freezes what that walker has learnt, and has no error bars before it is
    joined.
    """
    from wlnn.landscape.join import join_all
    from wlnn.report.landscape import reached, verdict_lines
    from wlnn.runs.find import find_landscape

    names = [re.sub(r"/+$", "", str(run)) for run in runs]
    folder = Path(out or re.sub(r"-s\d+", "", names[0]) + "-merged")
    if (folder / "run.json").exists() or (folder / "landscape.npz").exists():
        raise UserError(f"{folder}: holds a result already; give another --out.")
    joint, told = join_all([find_landscape(run) for run in runs], names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made: {str(error.strerror).lower()}.") from error
    joint.save(folder / "landscape.npz")
    click.echo(f"{joint.n_walkers} walkers of {len(runs)} runs: {reached(joint)}", err=True)
    for line in told:
        click.echo(f"  {line}", err=True)
    click.echo("\n".join(verdict_lines(joint, str(folder))), err=True)
    for path in [folder / "landscape.npz", *draw(joint, folder)]:
        click.echo(path)


@click.command(short_help="Check the samplers on exactly known cases.")
@click.option("--slow", is_flag=True, help="Also the cases that take minutes.")
@click.option("--case", "names", metavar="NAME", multiple=True, help="Only this case; repeatable.")
@click.option("--seed", type=Count(0), default=0, show_default=True, help="Of the judges.")
def verify(slow, names, seed):
    """Check the samplers on cases whose answer is known exactly; status 1 if one fails.

    Enumerated, integrated and analytic landscapes go through the very code that `wlnn sample` runs.
    A case passes when its error is at most its threshold, which a right sampler keeps for all but a
    few seeds in 100,000 and a wrong one does not; what the error is stands below each case. --case
    takes the names of this table, and those of the documentation, such as R1 or G.
    """
    from wlnn.reference import CASES
    from wlnn.reference import chosen as cases_of
    from wlnn.reference import verify as judge

    try:
        chosen = cases_of(names, slow)
    except UserError as error:
        raise UserError(f"--case {error}") from error
    width = max(len(case.name) for case in chosen)
    click.echo(f"{'case':<{width}}  sampler     error  threshold  verdict  seconds")
    failed = []
    for case, found in judge(*names, slow=slow, seed=seed):
        word = {True: "passed", False: "FAILED", None: "skipped"}[found.passed]
        click.echo(
            f"{case.name:<{width}}  {found.sampler:<7}  {found.error:8.3g}  {found.threshold:9.3g}"
            f"  {word}  {found.seconds:7.1f}"
        )
        click.echo(f"  {found.detail}")
        failed += [case.name] * (found.passed is False)
    left = sum(case.slow for case in CASES) if not slow and not names else 0
    click.echo(
        (f"failed: {', '.join(failed)}" if failed else "no case failed")
        + (f"; {left} slow ones were left out, see --slow" if left else "")
    )
    if failed:
        sys.exit(1)
