"""`wlnn sample --config`, `wlnn status`: many runs in one folder, shared by many jobs.

It parses, calls and prints; everything heavy is imported inside the functions.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import click

from wlnn.base.errors import UserError
from wlnn.base.progress import duration
from wlnn.cli.options import engine_of, recipe_of
from wlnn.cli.runs import execute

study_options = (
    click.option(
        "--config",
        type=click.Path(dir_okay=False),
        metavar="TOML",
        help="Runs of a file: options, and settings as `wlnn tasks NAME` prints them; a list, or "
        "'0..9', stands for a grid of runs, which go to one folder.",
    ),
    click.option(
        "--array",
        metavar="I/N",
        help="Of the runs of --config every Nth, from number I on (the first is 0), for job "
        "arrays.",
    ),
    click.option(
        "--dry-run", is_flag=True, help="List the runs of --config with core-hours; begin none."
    ),
)


def carry_out(config, array, dry_run, preset, out, live, where, **options) -> None:
    """All runs of a study that are not finished and that nobody else works on.

    ``where`` is how many threads there are, and the engine or device, as of the command line.
    """
    from wlnn.runs import status
    from wlnn.runs.study import read_study

    study = read_study(config)
    runs, folder = _runs(study, preset, options, out)
    names = [directory.name for _, directory in runs]
    several = len(runs) > 1
    if array is not None:
        if not several:
            raise UserError(f"--array {array}: {config} holds a single run; leave it out.")
        first, step = _share(array)
        runs = runs[first::step]
    if dry_run:
        _list(runs)
        return
    if several:
        status.plan(folder, names)
    threads, *place = where
    with engine_of(*place) as engine:
        if several:
            _campaign(runs, folder, threads, engine, live)
        else:
            execute(*runs[0], threads, engine=engine, live=live)


def _runs(study, preset, options: dict, out) -> tuple[list, Path]:
    """Recipe and directory of every run of a study, and the folder of them all."""
    from wlnn.runs import study as studies
    from wlnn.runs.names import directory_name

    overrides = options.pop("overrides")
    given = {name: value for name, value in options.items() if value is not None}
    given |= {"preset": preset} if preset else {}
    folder, runs, seen, changed = Path(out or Path("runs") / study.path.stem), [], {}, []
    for planned in study.planned(given):
        words = {**dict.fromkeys(options), **studies.options_of(planned)}
        if not words["task"] and not words["train"]:
            raise UserError(f'{study.path}: says no task; write task = "NAME", or train = ...')
        chosen = str(words.pop("preset", None) or "default")
        variants = {"axis": words["y_axis"], "scale": words["scale"]}
        variants = {name: choice for name, choice in variants.items() if choice}
        try:
            words["overrides"] = overrides
            recipe = recipe_of(words, chosen, table=planned.table)
        except UserError as error:
            raise UserError(f"{study.path}: {error}") from error
        values = studies.values_of(planned.table, chosen, variants)
        changed += [name for name in studies.changed_by(values, recipe, variants)]
        key = json.dumps(recipe.to_dict(), sort_keys=True)
        if key in seen:
            raise UserError(
                f"{study.path}: the runs {seen[key]} and {planned.name} are the same; leave out "
                "the option that overrides the list."
            )
        seen[key] = planned.name
        runs.append((recipe, folder / planned.name))
    studies.refuse_unread(study, [recipe for recipe, _ in runs], changed)
    if len(runs) == 1 and not out:
        recipe = runs[0][0]
        runs = [(recipe, Path("runs") / directory_name(recipe, recipe.task()))]
    return runs, folder


def _share(array: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", array.strip())
    if not match or int(match[1]) >= int(match[2]):
        raise UserError(f"--array {array}: write I/N with I from 0 to N - 1, as in 0/4 to 3/4.")
    return int(match[1]), int(match[2])


def _list(runs: list) -> None:
    """Every run, how far it is, and what it costs."""
    from wlnn.runs import status
    from wlnn.runs.pace import estimate

    known: dict[str, float] = {}  # runs that differ in seeds only take as long
    total, left, width = 0.0, 0, max(len(directory.name) for _, directory in runs)
    click.echo("measuring the pace of the samplers on this machine ...", err=True)
    for recipe, directory in runs:
        about = recipe.to_dict()
        for section in about["settings"].values():
            section.pop("seed", None)
        key = json.dumps(about, sort_keys=True)
        if key not in known:
            known[key] = estimate(recipe, recipe.problem(recipe.task()), 1) / 3600
        state = status.state_of(directory)
        part = 0.0 if math.isnan(state.part) else state.part
        left += state.state != status.FINISHED
        total += known[key] * (1 - part)
        click.echo(f"{directory.name:<{width}}  {state.state:<8}  {known[key]:8.3g} core-hours")
    click.echo(f"{_runs_of(len(runs))}, {left} to do: {total:.3g} core-hours")


def _runs_of(n: int) -> str:
    return f"{n} run{'s' * (n != 1)}"


def _campaign(runs: list, folder: Path, threads, engine, live: bool) -> None:
    """One run after another; those that are finished, or that others have claimed, are passed."""
    from wlnn.base.claims import Taken, claimed
    from wlnn.landscape.landscape import finished
    from wlnn.runs.recipe import refuse_another

    made, before, elsewhere, failed = 0, 0, 0, []
    for recipe, directory in runs:
        try:
            refuse_another(recipe, directory)
            if finished(directory) is None:
                with claimed(directory):
                    if finished(directory) is None:
                        how = {"live": live, "pictures": False}
                        execute(recipe, directory, threads, "the same command", engine, **how)
                        made += 1
                        continue
            before += 1
        except Taken:
            elsewhere += 1
        except UserError as error:
            failed.append(directory.name)
            click.echo(f"wlnn: {directory.name}: {error}", err=True)
    words = [f"{made} done now"]
    words += [f"{before} before"] * (before > 0)
    words += [f"{elsewhere} in the hands of another job"] * (elsewhere > 0)
    click.echo(f"{folder}: of {_runs_of(len(runs))} {', '.join(words)}", err=True)
    if failed:
        more = f" and {len(failed) - 3} more" * (len(failed) > 3)
        raise UserError(f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed[:3])}{more}.")


@click.command(short_help="How far the runs of a folder are.")
@click.argument("folder", type=click.Path())
def status(folder):
    """One line a run: finished, running, cut (begun and stopped) or waiting; part done; time left.

    A finished run shows the verdict that is stored with it, a running one who works on it. A run
    that was cut goes on by the command that began it, or by `wlnn resume`.
    """
    from collections import Counter

    from wlnn.runs.status import states

    found = states(folder)
    width = max(len(one.name) for one in found)
    for one in found:
        part = "?" if math.isnan(one.part) else f"{100 * one.part:.0f} %"
        left = "" if math.isnan(one.seconds_left) or one.part >= 1 else duration(one.seconds_left)
        line = f"{one.name:<{width}}  {one.state:<8}  {part:>5}  "
        line += f"{left + ' left' if left else '':<13}  {one.words}"
        click.echo(line.rstrip())
    if len(found) > 1:
        counts = Counter(one.state for one in found)
        told = ", ".join(f"{n} {state}" for state, n in counts.items())
        click.echo(f"{len(found)} runs: {told}")
