"""What a run is made from, in a form that ``run.json`` can hold: a task, a sampler, settings.

It turns what a user names (a task, CSV files, ``path.py:name``) into the problem that a sampler is
given, now or when the run is resumed.
"""

from __future__ import annotations

import hashlib
import math
import os
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.settings.section import nearest
from wlnn.settings.tables import Settings, parse_overrides, read_table
from wlnn.settings.unread import SAMPLERS
from wlnn.tasks.catalogue import TASKS, load_task
from wlnn.tasks.check import checked, reason_of
from wlnn.tasks.loaded import loaded_files
from wlnn.tasks.own import line_of, task_from_csv, task_from_file
from wlnn.tasks.problem import Problem
from wlnn.tasks.readers import catalogue
from wlnn.tasks.task import Task

BY_LADDER = ("spiral-regress", "house-price", "polymer")
MOVES_IN_BOX = ("wlmd", "md", "seek")  # what has no form for a Gaussian prior
PATHS = ("train", "test", "file", "data", "embedding")  # of a source
PAPER_DATA_SETS = {"spiral-classify": 6}  # paper, Fig. 1: its curves are means over so many


@dataclass(frozen=True)
class Recipe:
    """Everything a run depends on.

    Attributes:
        source: {"task": name}, with "data" and "embedding" if it needs files; {"file":
            "path.py:name"}; or {"train": path, "test": path, "target": column, "hidden": [..],
            "kind": .., "standardise": bool, ...}, arguments of ``task_from_csv``. Paths are
            absolute. Empty where a program made the task.
        settings: all sections; those that the source does not use are ignored.
        sampler: "wlmc" (Monte Carlo), "wlmd" (molecular dynamics) or "ladder"; "md", "seek",
            "train" or "tune" where no landscape is sampled.
        preset: of the table, "default", "quick" or "paper".
        recorded: of a run that is resumed, the names of the files it depended on when it began.
    """

    source: dict
    settings: Settings
    sampler: str
    preset: str
    recorded: tuple[str, ...] | None = None

    @property
    def kind(self) -> str:
        """The name of the task, "file" or "train": what tells which settings it reads."""
        return self.source.get("task") or ("file" if "file" in self.source else "train")

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
                try:  # so that a mistake is told before a run begins
                    checked(task)
                except UserError as error:
                    raise UserError(f"{self.files['file']}: {error}") from error
            return task
        return task_from_csv(**source, settings=settings)

    def problem(self, task: Task | Problem):
        """What the sampler is given; the contents of the user's files become part of it."""
        moves = self._needs_gradient(task)
        if isinstance(task, Problem):
            problem = task
            if self.sampler == "seek":
                raise UserError(
                    f"'{task.name}' is a bare function; a search needs a Task to train."
                )
        elif moves:
            from wlnn.tasks.smooth import NetworkVariables

            if self.sampler in ("md", "seek") and task.y == "test-accuracy":
                task = replace(task, y="smoothed-accuracy")  # the true one is recorded beside it
            how = self.settings.wlmd
            problem = NetworkVariables(task, how.accuracy_axis, start_part=how.start).problem()
        else:
            problem = task.problem()
        if moves:
            problem.require_gradient()
        if self.sampler in MOVES_IN_BOX:
            problem.require_box(SAMPLERS[self.sampler][0])
        about = {"task": problem.name, **problem.about}
        if self.files:
            about["files"] = {name: fingerprint(path) for name, path in self.files.items()}
        if "file" in self.source:  # what it imports and reads beside itself
            for name, path in loaded_files(self.files["file"]).items():
                if self.recorded is None or name in self.recorded:
                    about["files"][name] = fingerprint(path)
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
        if problem.grid is not None:
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
        store.open_run(directory, identity, self.notes)

    def as_task(self, about: dict) -> Task | Problem:
        """The task in a worker process, which may see other files than those ``about`` tells of.

        Raises:
            UserError: a file is missing there, or another one.
        """
        task = self.task()
        self._same(self.problem(task), about)
        return task

    def as_problem(self, about: dict):
        """As :meth:`as_task`, the problem."""
        return self._same(self.problem(self.task()), about)

    def _same(self, problem, about: dict):
        difference = store.difference(store.as_json(about), store.as_json(problem.about))
        if difference:
            names = ", ".join(str(path) for path in self.files.values()) or "wlnn"
            raise UserError(f"{names}: not the same as where the run began: {difference}.")
        return problem

    def sample(
        self,
        problem,
        directory: Path,
        threads: int,
        report,
        executor: Executor | None = None,
        device=None,
    ) -> Landscape:
        """Begin or continue the run in ``directory``: ``sample`` of its sampler."""
        more: dict = {"executor": executor, "make_problem": partial(self.as_problem, problem.about)}
        if self.sampler == "wlmd":
            from wlnn.wlmd import run
        elif self.sampler == "ladder":
            from wlnn.ladder import run

            more["grid"] = self.grid(problem)
        else:
            from wlnn.wlmc import run
        if self.sampler != "wlmc":
            more["device"] = device
        elif device is not None:
            raise UserError(
                "Monte Carlo changes one parameter at a time and runs on the CPU alone; leave out "
                "--device, or take --sampler wlmd or ladder."
            )
        settings = getattr(self.settings, self.sampler)
        try:
            return run.sample(problem, settings, directory, threads, report, self.notes, **more)
        except Exception as error:
            sentence = self._of_the_user(error)
            if sentence is None:
                raise
            raise sentence from error

    @property
    def notes(self) -> dict | None:
        """What run.json holds of the recipe; None where the task is an object of a program."""
        return {"recipe": self.to_dict()} if self.source else None

    def _of_the_user(self, error: Exception) -> UserError | None:
        """The sentence for an error that comes from a line of the user's own file."""
        path = self.files.get("file")
        line = line_of(error, path) if path else ""
        return UserError(f"{path}: {line}{reason_of(error, True)}.") if line else None

    def to_dict(self) -> dict:
        """As JSON, with the versions of the files at this moment left out: see :meth:`problem`."""
        return {
            "source": self.source,
            "sampler": self.sampler,
            "preset": self.preset,
            "settings": self.settings.to_dict(),
        }


def usual_sampler(task: str, preset: str) -> str:
    """The sampler of a task where none is named; "own" is everybody's own."""
    if task in BY_LADDER and preset != "paper":
        return "ladder"
    return "wlmd" if task in ("spiral-regress", *catalogue.FILES) else "wlmc"


def make_recipe(
    source: dict,
    preset: str = "default",
    sampler: str | None = None,
    values: dict[str, dict] | None = None,
    overrides: tuple[str, ...] = (),
    variants: dict[str, str] | None = None,
    table: str | None = None,
) -> Recipe:
    """A recipe from the table of the task, then ``values`` by section, then dotted ``overrides``.

    The section "sampler" of ``values`` goes to the section of the sampler in use. ``table`` is the
    name of the table, where the source is empty.
    """
    source = {
        name: os.path.abspath(value) if name in PATHS else value for name, value in source.items()
    }
    name = table or source.get("task", "own")
    if "task" in source and name not in TASKS:
        known = [*TASKS, "or path.py:name for one of your own"]
        raise UserError(f"there is no task '{name}'{nearest(name, known)}")
    sampler = sampler or usual_sampler(name, preset)
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

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> made = wlnn.run("spiral-classify", **small, steps=2e4, directory="runs/small")
        >>> recipe = wlnn.read_recipe("runs/small")
        >>> recipe.sampler, recipe.settings.network.width, recipe.settings.wlmc.steps
        ('wlmc', 2, 20000)

    Raises:
        UserError: no run directory, one made by another program, or a file of the user that has
            changed since.
    """
    contents = store.read_run(directory)
    if "recipe" not in contents:
        raise UserError(
            f"{directory}: was not made by 'wlnn sample'; run the program again that made it."
        )
    stored, where = contents["recipe"], f"{directory}/run.json"
    problem = contents["identity"].get("problem")
    before = problem.get("files", {}) if isinstance(problem, dict) else None
    if not (_is_sound(stored) and isinstance(before, dict)):
        raise UserError(f"{where}: is damaged: its recipe is none of 'wlnn'; sample again.")
    settings = Settings().with_values(stored["settings"], where)
    names = stored["source"], settings, stored["sampler"], stored["preset"]
    recipe = Recipe(*names, recorded=tuple(before))
    files = recipe.files
    if "file" in files:
        files |= {name: files["file"].parent / name for name in before if name not in files}
    for name, path in files.items():
        if fingerprint(path) != before.get(name):
            raise UserError(
                f"{path}: has changed since the run in {directory} began; put the old file back, "
                "or sample into another directory."
            )
    return recipe


def refuse_another(recipe: Recipe, directory) -> None:
    """UserError if a directory has a run of another recipe."""
    if not (Path(directory) / "run.json").exists():
        return
    stored, ours = store.read_run(directory).get("recipe"), store.as_json(recipe.to_dict())
    if not _is_sound(stored):
        raise UserError(f"{directory}/run.json: is of another program; choose another --out.")
    there = store.as_json(Settings().with_values(stored["settings"], str(directory)).to_dict())
    found = store.difference(
        {name: stored[name] for name in ("source", "sampler")},
        {name: ours[name] for name in ("source", "sampler")},
    )
    read = {name.partition(".")[0] for name in SAMPLERS[recipe.sampler][1]}
    for section in sorted(read | {"network", "data", "grid", "context"}):
        found = found or store.difference(there[section], ours["settings"][section], section)
    if found:
        raise UserError(f"{directory}: belongs to another run: {found}; choose another --out.")


def _is_sound(stored) -> bool:
    """Whether the recipe of a ``run.json`` is one that :meth:`Recipe.to_dict` could have given."""
    if not isinstance(stored, dict) or not isinstance(stored.get("settings"), dict):
        return False
    source, texts = stored.get("source"), ("task", *PATHS)
    if not isinstance(source, dict) or stored.get("sampler") not in tuple(SAMPLERS):
        return False
    kinds = {
        **dict.fromkeys(texts, str),
        "target": str | list,
        "hidden": list,
        "kind": str | None,
        "standardise": bool,
        "missing": str,
        "split": int | float,
        "split_seed": int,
    }
    return (
        isinstance(stored.get("preset"), str)
        and all(isinstance(part, dict) for part in stored["settings"].values())
        and all(name in kinds and isinstance(source[name], kinds[name]) for name in source)
        and all(type(units) is int for units in source.get("hidden", ()))
        and (set(source) & {"task", "file"} or "train" in source)
        and source.get("task", "mnist") in TASKS
    )


def fingerprint(path: Path) -> str:
    """First 16 digits of the SHA-256 of a file, or of all files of a folder with their names.

    Raises:
        UserError: it cannot be read.
    """
    path, found = Path(path), hashlib.sha256()
    try:
        if not path.is_dir():
            found.update(path.read_bytes())
        for part in sorted(path.rglob("*")) if path.is_dir() else ():
            if part.is_file():
                found.update(f"{part.relative_to(path).as_posix()} {fingerprint(part)}\n".encode())
        return found.hexdigest()[:16]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {(error.strerror or '').lower()}.") from error
