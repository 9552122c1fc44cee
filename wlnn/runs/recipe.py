"""What a run is made from, in a form that ``run.json`` can hold: a task, a sampler, settings.

It turns what a user names (a task, CSV files, ``path.py:name``) into the problem that a sampler is
given, now or when the run is resumed. It samples nothing but a short trial of the pace.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.settings.tables import Settings, parse_overrides, read_table
from wlnn.tasks.catalogue import TASKS, load_task
from wlnn.tasks.own import line_of, task_from_csv, task_from_file
from wlnn.tasks.problem import Problem
from wlnn.tasks.readers import catalogue
from wlnn.tasks.task import Task

USUAL_SAMPLER = dict.fromkeys(("spiral-regress", *catalogue.FILES), "wlmd")  # others: "wlmc"
PATHS = ("train", "test", "file", "data", "embedding")  # of a source
PAPER_DATA_SETS = {"spiral-classify": 6}  # paper, Fig. 1: its curves are means over so many


@dataclass(frozen=True)
class Recipe:
    """Everything a run depends on.

    Attributes:
        source: {"task": name}, with "data" and "embedding" if it needs files; {"file":
            "path.py:name"}; or {"train": path, "test": path, "target": column, "hidden": [..],
            "kind": .., "standardise": bool}. Paths are absolute.
        settings: all sections; those that the source does not use are ignored.
        sampler: "wlmc" (Monte Carlo), "wlmd" (molecular dynamics) or "ladder"; "md", "seek",
            "train" or "tune" where no landscape is sampled.
        preset: of the table, "default", "quick" or "paper".
    """

    source: dict
    settings: Settings
    sampler: str
    preset: str

    @property
    def files(self) -> dict[str, Path]:
        """The files of the user that the run depends on."""
        if "file" in self.source:
            return {"file": Path(self.source["file"].rpartition(":")[0])}
        if "data" in self.source:
            return catalogue.paths(**self.source)
        return {name: Path(self.source[name]) for name in ("train", "test") if name in self.source}

    def task(self) -> Task | Problem:
        """Load or make the task; UserError if it cannot be."""
        source, settings = self.source, self.settings
        if "task" in source:
            paths = {name: source[name] for name in ("data", "embedding") if name in source}
            return load_task(source["task"], settings=settings, **paths)
        if "file" in source:
            task = task_from_file(source["file"])
            if isinstance(task, Problem):
                self._try_function(task)
            return task
        return task_from_csv(**source, settings=settings)

    def problem(self, task: Task | Problem):
        """What the sampler is given; the contents of the user's files become part of it."""
        if self._needs_gradient(task):
            from wlnn.tasks.smooth import NetworkVariables

            if not isinstance(task, Task):
                raise UserError(
                    f"'{task.name}' is a bare function: molecular dynamics needs a Task with a "
                    "network, whose gradient it can take."
                )
            if self.sampler in ("md", "seek") and task.y == "test-accuracy":
                task = replace(task, y="smoothed-accuracy")  # the true one is recorded beside it
            how = self.settings.wlmd
            variables = NetworkVariables(task, how.accuracy_axis, start_part=how.start)
            problem = variables.problem()
        else:
            problem = task if isinstance(task, Problem) else task.problem()
        about = {"task": problem.name, **problem.about}
        if self.files:
            about["files"] = {name: fingerprint(path) for name, path in self.files.items()}
        return replace(problem, about=about)

    def _needs_gradient(self, task: Task | Problem) -> bool:
        if self.sampler != "ladder":
            return self.sampler not in ("wlmc", "train", "tune")
        mover = self.settings.ladder.mover
        if mover == "auto":  # a true accuracy has no gradient
            return isinstance(task, Task) and task.y != "test-accuracy"
        return mover == "langevin"

    def grid(self, problem) -> Grid:
        """Bins of a landscape by ladders: those of the section "grid", and for a smoothed accuracy
        those of the section "wlmd" along y."""
        if isinstance(problem, Problem):
            return problem.grid
        x_name, y_name = problem.names
        bins, y = self.settings.grid, self.settings.grid
        if problem.accuracy_at is not None:
            y = self.settings.wlmd
        return Grid(
            Axis.of_width(x_name, bins.x_low, bins.x_high, bins.x_width),
            Axis.of_width(y_name, y.y_low, y.y_high, bins.y_width),
        )

    def open(self, problem: Problem, directory: Path) -> None:
        """Make the directory of a Monte Carlo run that begins later; UserError as in ``store``."""
        from wlnn.wlmc import checkpoints

        identity = checkpoints.run_identity(problem, self.settings.wlmc)
        notes = {"recipe": self.to_dict(), "versions": store.versions()}
        store.open_run(directory, identity, notes)

    def sample(self, problem, directory: Path, threads: int, report) -> Landscape:
        """Begin or continue the run in ``directory``: ``sample`` of the sampler's ``run.py``."""
        more = {}
        if self.sampler == "wlmd":
            from wlnn.wlmd import run
        elif self.sampler == "ladder":
            from wlnn.ladder import run

            more["grid"] = self.grid(problem)
        else:
            from wlnn.wlmc import run
        settings, notes = getattr(self.settings, self.sampler), {"recipe": self.to_dict()}
        try:
            return run.sample(problem, settings, directory, threads, report, notes, **more)
        except Exception as error:
            sentence = self._of_the_user(error)
            if sentence is None:
                raise
            raise sentence from error

    def _of_the_user(self, error: Exception) -> UserError | None:
        """The sentence for an error that comes from a line of the user's own file."""
        path = self.files.get("file")
        line = line_of(error, path) if path else ""
        reason = (str(error).splitlines() or [""])[0]
        return UserError(f"{path}: {line}{type(error).__name__}: {reason}") if line else None

    def _try_function(self, problem: Problem) -> None:
        """One call of a user's function, so that a mistake in it is told before a run begins."""
        try:
            x, y = problem.observe((problem.lo + problem.hi) / 2)
            float(x), float(y)
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0]
            raise self._of_the_user(error) or UserError(
                f"{self.source['file']}: its function must take theta (P,) and return two numbers, "
                f"x and y ({type(error).__name__}: {reason})."
            ) from error

    def estimate(self, problem, threads: int) -> float:
        """Seconds that the whole run will take on ``threads`` threads, from a trial of a second."""
        settings = getattr(self.settings, self.sampler)
        if self.sampler == "ladder":
            raise UserError("ladders are no published protocol; leave out --paper or --sampler.")
        if self.sampler == "wlmd":
            busy = min(threads, settings.tables * settings.walkers)
            trial = replace(settings, tables=busy, walkers=1, checks=False, production=0.0)
            pace = _pace(problem, trial, busy)
            return settings.steps * math.ceil(settings.tables * settings.walkers / busy) * pace
        from wlnn.wlmc import run

        busy, steps, seconds = min(threads, settings.walkers), 50, 0.0
        short = {"stages": 2, "production": 0.0, "merge_every": 0, "anchor_draws": 0}
        trial = replace(settings, walkers=busy, keep_networks=False, **short)
        while seconds < 0.5 and steps < settings.steps:
            steps *= 8
            history = run.sample(problem, replace(trial, steps=steps), threads=busy).history
            seconds = history["seconds"].sum(axis=1).mean()
        return settings.steps * math.ceil(settings.walkers / busy) * seconds / steps

    def directory_name(self, task: Task | Problem) -> str:
        """``<task>-<layers>x<width>-s<seed>``, and what else tells it from other runs."""
        parts, network = [task.name], getattr(task, "network", None)
        hidden = getattr(network, "sizes", ())[1:-1]
        if hidden and len(set(hidden)) == 1:
            parts.append(f"{len(hidden)}x{hidden[0]}")
        elif hidden:
            parts.append("-".join(str(units) for units in hidden))
        elif hasattr(network, "channels"):
            parts.append(f"w{network.width}")
        if "task" in self.source:
            parts += self._unusual(read_table(self.source["task"], self.preset))
        sampler = "train" if self.sampler == "tune" else self.sampler
        if sampler == "ladder":
            parts.append(sampler)
        parts.append(f"s{getattr(self.settings, sampler).seed}")
        if self.preset != "default":
            parts.append(self.preset)
        return "-".join(parts)

    def _unusual(self, usual: Settings) -> list[str]:
        """Options of the task that are not those of its table, in a few letters each."""
        found = []
        for section, option, letter in (
            ("data", "points", "n"),
            ("data", "seed", "d"),
            ("data", "scale", ""),
            ("network", "activation", ""),
            ("wlmd", "accuracy_axis", ""),
        ):
            value = getattr(getattr(self.settings, section), option)
            if value != getattr(getattr(usual, section), option):
                found.append(f"{letter}{value}")
        pairs = ((s.data.first_class, s.data.second_class) for s in (self.settings, usual))
        mine, theirs = pairs
        return found + ([f"c{mine[0]}{mine[1]}"] if mine != theirs else [])

    def to_dict(self) -> dict:
        """As JSON, with the versions of the files at this moment left out: see :meth:`problem`."""
        return {
            "source": self.source,
            "sampler": self.sampler,
            "preset": self.preset,
            "settings": self.settings.to_dict(),
        }


def _pace(problem, settings, threads: int) -> float:
    """Seconds of a step of molecular dynamics, from ever longer trials up to half a second."""
    from wlnn.wlmd import run as run_wlmd

    steps, pace = settings.thermostat_every, 0.0
    while steps * pace < 0.5 and steps < 1000:
        steps *= 4  # a step takes from 100 microseconds to seconds
        trial = replace(settings, steps=steps, round=steps, report=steps, keep_networks=False)
        try:
            history = run_wlmd.sample(problem, trial, threads=threads).history
        except running.Interrupted as stop:
            raise KeyboardInterrupt from stop
        pace = 1e-6 * history["us_per_step"][:, -1].mean()
    return pace


def make_recipe(
    source: dict,
    preset: str = "default",
    sampler: str | None = None,
    values: dict[str, dict] | None = None,
    overrides: tuple[str, ...] = (),
    variants: dict[str, str] | None = None,
) -> Recipe:
    """A recipe from the table of the task, then ``values`` by section, then dotted ``overrides``.

    The section "sampler" of ``values`` goes to the section of the sampler in use.
    """
    source = {
        name: os.path.abspath(value) if name in PATHS else value for name, value in source.items()
    }
    name = source.get("task", "own")
    if "task" in source and name not in TASKS:
        raise UserError(
            f"there is no task '{name}'; use one of {', '.join(TASKS)}, or path.py:name for one of "
            "your own."
        )
    sampler = sampler or USUAL_SAMPLER.get(name, "wlmc")
    changes = {section: dict(options) for section, options in (values or {}).items()}
    changes.setdefault(sampler, {}).update(changes.pop("sampler", {}))
    for section, options in parse_overrides(overrides).items():
        changes.setdefault(section, {}).update(options)
    width = changes.get("network", {}).get("width")
    settings = read_table(name, preset, variants=variants, width=width)
    wlmc = changes.get("wlmc", {})
    if isinstance(wlmc.get("steps"), int | float) and 10 <= wlmc["steps"] < math.inf:
        fewer = max(1, int(wlmc["steps"]) // 1000)  # short runs have fewer stages
        wlmc.setdefault("stages", min(settings.wlmc.stages, fewer))
    return Recipe(source, settings.with_values(changes, "--set"), sampler, preset)


def read_recipe(directory) -> Recipe:
    """The recipe that ``wlnn sample`` left in a run directory.

    Raises:
        UserError: no run directory, one made by another program, or a file of the user that has
            changed since.
    """
    contents = store.read_run(directory)
    if "recipe" not in contents:
        raise UserError(
            f"{directory}: was not made by 'wlnn sample'; run the program again that made it."
        )
    stored = contents["recipe"]
    settings = Settings().with_values(stored["settings"], f"{directory}/run.json")
    recipe = Recipe(stored["source"], settings, stored["sampler"], stored["preset"])
    before = contents["identity"]["problem"].get("files", {})
    for name, path in recipe.files.items():
        if fingerprint(path) != before.get(name):
            raise UserError(
                f"{path}: has changed since the run in {directory} began; put the old file back, "
                "or sample into another directory."
            )
    return recipe


def fingerprint(path: Path) -> str:
    """First 16 digits of the SHA-256 of a file; UserError if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {(error.strerror or '').lower()}.") from error
