"""The figure scripts run, are short, and use public names only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import wlnn

EXAMPLES = Path(__file__).parents[2] / "examples"
SHARED = EXAMPLES.parents[1] / "shared" / "data"
FIGURES = sorted(path.stem for path in EXAMPLES.glob("fig[0-9]*.py"))
PICTURES = {"fig1": ["fig1a", "fig1b"]}
FILES = {  # options, and the file that each needs
    "fig6": ("--data", "cifar/cifar_deerfrog_jpeg5000.npz"),
    "fig7": ("--data", "house/train.csv"),
    "fig9": ("--data", "polymer/Egb.csv"),
}
LESS = {"fig6": [f"--set={s}" for s in (
    "data.selection=seeded", "train.runs=2", "train.epochs=1", "wlmd.steps=200", "wlmd.report=100",
)]}  # fmt: skip


def test_there_is_one_script_a_figure():
    assert FIGURES == ["fig1", "fig2", "fig3", "fig4", "fig6", "fig7", "fig8", "fig9"]


@pytest.mark.parametrize("name", [*FIGURES, "figure"])
def test_figures_are_short_and_use_public_names(name):
    text = (EXAMPLES / f"{name}.py").read_text()
    assert len(text.splitlines()) <= (40 if name in FIGURES else 80)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "wlnn":
            assert node.attr in wlnn.__all__
        if isinstance(node, ast.ImportFrom):
            assert node.module in ("figure", "pathlib")


def draw(name, folder):
    """The quick figure in a process of its own, as a user runs it; returns what it printed."""
    arguments = [sys.executable, EXAMPLES / f"{name}.py", "--quick", "--out", "pictures"]
    option, needed = FILES.get(name, (None, None))
    if needed is not None:
        if not (SHARED / needed).exists():
            pytest.skip(f"{needed} is not in ../shared/data beside the checkout")
        arguments += [option, SHARED / needed]
    done = subprocess.run(
        [*arguments, *LESS.get(name, [])], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for picture in PICTURES.get(name, [name]):
        assert (folder / "pictures" / f"{picture}.png").stat().st_size > 10_000
    return done.stdout


def test_fig1(tmp_path):
    """And a second time everything is found in the folder of runs."""
    first = draw("fig1", tmp_path)
    assert "3x6, 10 epochs: ln L" in first
    runs = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert draw("fig1", tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == runs


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FIGURES if name != "fig1"])
def test_the_other_figures(name, tmp_path):
    draw(name, tmp_path)
