"""The map of imports, read from the sources: who may load what, and no circles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {ROOT / "wlnn": "wlnn", ROOT / "reference": "wlnn.reference"}
COMMAND_LINE = {
    "wlnn.__main__",
    "wlnn.cli",
    "wlnn.cli_advantage",
    "wlnn.cli_canonical",
    "wlnn.cli_data",
    "wlnn.cli_options",
    "wlnn.cli_results",
    "wlnn.cli_sample",
    "wlnn.cli_seek",
    "wlnn.cli_train",
    "wlnn.maxent.commands",
    "wlnn.maxent.commands_landscape",
    "wlnn.maxent.commands_law",
    "wlnn.maxent.commands_training",
    "wlnn.maxent.options",
}
PICTURES = {"wlnn.plot", "wlnn.plot_canonical", "wlnn.plot_trained", "wlnn.maxent.figures"}
COMPILED = {
    "wlnn.conv_kernels",
    "wlnn.dense_kernels",
    "wlnn.image_kernels",
    "wlnn.kernels",
    "wlnn.langevin_kernels",
    "wlnn.simd",
    "wlnn.system_losses",
    "wlnn.systems",
    "wlnn.wlmd_fnn",
    "wlnn.wlmd_kernels",
    "wlnn.wlmd_layers",
    "wlnn.wlmd_losses",
    "wlnn.maxent.systems",
}
ONLY_IN = {"click": COMMAND_LINE, "matplotlib": PICTURES, "numba": COMPILED, "cupy": set()}
# A file that asks for its compiled twin when it needs it; the twin takes its constants from it.
COMPILED_TWINS = {
    "wlnn.collective": {"wlnn.wlmd_fnn", "wlnn.wlmd_layers"},
    "wlnn.langevin": {"wlnn.langevin_kernels"},
}
# What the first line of a session loads: `import wlnn`, `wlnn --help`.
LIGHT = {"wlnn", "wlnn.errors", "wlnn.progress", "wlnn.unread", "wlnn.maxent", *COMMAND_LINE}
HEAVY = {"numpy", "numba", "scipy", "matplotlib", "cupy"}


def sources():
    """Module name and syntax tree of every file of the package."""
    trees = {}
    for folder, package in FOLDERS.items():
        for path in folder.rglob("*.py"):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            name = ".".join(part for part in parts if part != "__init__")
            trees[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return trees


TREES = sources()


def imports(tree, everywhere=True):
    """Names that a file imports: all, or those that are imported when the file is."""
    found = set()
    waiting = list(tree.body)
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


def inside(names):
    """Of imported names, the modules of this package."""
    return {name for name in names if name in TREES}


def outside(names):
    """Of imported names, the packages."""
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", ONLY_IN)
def test_a_library_is_loaded_where_it_belongs(package):
    allowed = ONLY_IN[package]
    for name, tree in TREES.items():
        if package == "numba" and name.startswith("wlnn.reference."):
            continue  # the systems of the exact cases are compiled into the same driver
        assert name in allowed or package not in outside(imports(tree)), name


def test_the_lists_above_name_files_that_are_there():
    assert TREES.keys() >= COMMAND_LINE | PICTURES | COMPILED | LIGHT


def test_nothing_imports_in_circles():
    graph = {name: inside(imports(tree)) - {name} for name, tree in TREES.items()}
    for name, twins in COMPILED_TWINS.items():
        graph[name] -= twins
    TopologicalSorter(graph).prepare()  # raises CycleError, which shows the circle


def test_light_modules_load_light_modules_only():
    for name in LIGHT:
        loaded = imports(TREES[name], everywhere=False)
        assert not HEAVY & outside(loaded), name
        assert inside(loaded) <= LIGHT, name


def test_floors():
    """Samplers do not know each other, nothing below the command line knows it, nor pictures."""
    graph = {name: inside(imports(tree)) for name, tree in TREES.items()}
    for name, below in graph.items():
        if name not in COMMAND_LINE:
            assert not below & COMMAND_LINE, name
        if name not in COMMAND_LINE | PICTURES and name != "wlnn":
            assert not below & PICTURES, name
        if name.startswith("wlnn.wlmd"):
            assert "wlnn.wlmc" not in below, name
    assert not {"wlnn.wlmd", "wlnn.run_wlmd"} & graph["wlnn.wlmc"]
    assert not {"wlnn.wlmd", "wlnn.run_wlmd"} & graph["wlnn.run"]
    for name in graph:
        if name.startswith("wlnn.readers."):  # arrays and sentences: no network, no sampler
            readers = {other for other in graph if other.startswith("wlnn.readers")}
            assert graph[name] <= readers | {"wlnn.datasets", "wlnn.errors", "wlnn.settings"}, name
    for name in ("wlnn.grid", "wlnn.losses", "wlnn.layers", "wlnn.store", "wlnn.datasets"):
        assert graph[name] <= {"wlnn.errors", "wlnn"}, name  # the ground floor
