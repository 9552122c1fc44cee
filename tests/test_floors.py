"""The map of the rooms, read from the sources: who may import whom, and no circles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"wlnn": ROOT / "wlnn", "wlnn.reference": ROOT / "reference"}
# A room imports rooms of lower floors, never one of its own floor.
FLOORS = {
    "base": 1,
    "backend": 1,
    "settings": 2,
    "landscape": 2,
    "networks": 2,
    "tasks": 3,
    "torch": 4,
    "wlmc": 4,
    "wlmd": 4,
    "training": 4,
    "canonical": 5,
    "ladder": 5,
    "maxent": 5,
    "runs": 6,
    "report": 6,
    "reference": 6,
    "cli": 7,
    "__main__": 8,
}
# Where an outside library may be imported; everything else is free of it.
ONLY_IN = {
    "click": ("wlnn.cli.",),
    "matplotlib": ("wlnn.report.plot",),
    "numba": (
        "wlnn.backend.",
        "wlnn.base.ahead",  # what workers begin with
        "wlnn.networks.compiled.",
        "wlnn.wlmc.driver",
        "wlnn.wlmd.driver",
        "wlnn.wlmd.integrator_loop",
        "wlnn.wlmd.kernels",
        "wlnn.canonical.kernels",
        "wlnn.canonical.langevin_loop",
        "wlnn.reference.cases.",
        "wlnn.reference.judges.",
    ),
    "cupy": ("wlnn.backend.device",),
    "torch": ("wlnn.torch.",),
    "tensorboard": ("wlnn.tasks.readers.event_files",),
    **dict.fromkeys(("distributed", "dask_jobqueue", "mpi4py", "yaml"), ("wlnn.base.clusters",)),
    "cloudpickle": ("wlnn.base.engines",),
    **dict.fromkeys(("arviz", "pandas", "xarray"), ("wlnn.base.frames",)),
    "tqdm": ("wlnn.base.progress",),
}
HEAVY = {"numpy", "numba", "scipy", "matplotlib", "cupy"}


def sources():
    """Module name and syntax tree of every file of the package."""
    for package, folder in FOLDERS.items():
        for path in folder.rglob("*.py"):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            yield ".".join(part for part in parts if part != "__init__"), path


PATHS = dict(sources())
TREES = {name: ast.parse(path.read_text("utf-8"), str(path)) for name, path in PATHS.items()}


def imports(tree, everywhere=True):
    """Names that a file imports: all, or those that are imported when the file is."""
    found, waiting = set(), list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full"
            inside = {f"{node.module}.{name.name}" for name in node.names}
            found |= (inside & TREES.keys()) or {node.module}
        elif everywhere or not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


GRAPH = {name: imports(tree) & TREES.keys() - {name} for name, tree in TREES.items()}


def room(name):
    """The room of a module, None for the front door ``wlnn``."""
    return name.split(".")[1] if "." in name and name.split(".")[1] in FLOORS else None


def test_a_room_imports_lower_floors_only():
    assert {room(name) for name in TREES} - {None} == FLOORS.keys()
    for name, below in GRAPH.items():
        for other in below:
            if room(name) and room(other) and room(name) != room(other):
                assert FLOORS[room(other)] < FLOORS[room(name)], f"{name} imports {other}"


def test_nothing_imports_in_circles():
    TopologicalSorter(GRAPH).prepare()  # raises CycleError, which shows the circle


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_loaded_where_it_belongs(library):
    for name, tree in TREES.items():
        if not f"{name}.".startswith(ONLY_IN[library]) and not name.startswith(ONLY_IN[library]):
            assert library not in {other.split(".")[0] for other in imports(tree)}, name


def test_the_front_door_and_the_command_line_load_nothing_heavy():
    commands = [name for name, tree in TREES.items() if "click" in imports(tree)]
    waiting, seen = ["wlnn", *commands], set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            loaded = imports(TREES[name], everywhere=False)
            assert not HEAVY & {other.split(".")[0] for other in loaded}, name
            waiting += loaded & TREES.keys()


@pytest.mark.parametrize("name", TREES)
def test_a_file_fits_one_sitting_and_says_what_it_is(name):
    assert len(PATHS[name].read_text("utf-8").splitlines()) <= 400
    assert ast.get_docstring(TREES[name]) or not TREES[name].body
    if PATHS[name].name == "__init__.py" and name.count(".") and name != "wlnn.reference":
        assert name in ("wlnn.maxent", "wlnn.torch") or len(TREES[name].body) == 1, (
            "a docstring only"
        )


def test_no_example_imports_a_deep_path():
    """All that a program needs is in `wlnn` itself, in `wlnn.maxent`, and the exact cases."""
    folder = Path(__file__).parents[1] / "examples"
    for path in folder.rglob("*.py"):
        for name in imports(ast.parse(path.read_text("utf-8"))):
            known = name.split(".")[0] != "wlnn" or name in ("wlnn", "wlnn.maxent", "wlnn.torch")
            assert known or name.startswith("wlnn.reference"), f"{path.name}: {name}"


def test_class_names_are_unique():
    homes = {}
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                assert node.name not in homes, f"{node.name}: in {name} and {homes[node.name]}"
                homes[node.name] = name
