"""The package as it is shipped: a complete source archive, and a wheel that works where nothing is.

Minutes long, and it downloads what the package needs.
"""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
LEFT_OUT = shutil.ignore_patterns(
    ".venv", ".git", "build", "dist", "*.egg-info", "__pycache__", ".*_cache"
)
BUILD = "from setuptools import build_meta; print(build_meta.build_{}({!r}))"
pytestmark = pytest.mark.slow


def bare(folder):
    """The Python of a new environment with nothing in it."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder / "bin" / "python"


def out_of(command, folder, **more):
    """What a command prints; its errors are shown where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """Paths of the source archive, made of a copy, and of the wheel that is made of the archive."""
    folder = tmp_path_factory.mktemp("package")
    python = bare(folder / "builder")
    out_of([python, "-m", "pip", "install", "-q", "setuptools>=68", "wheel"], folder)
    copy = shutil.copytree(ROOT, folder / "copy", ignore=LEFT_OUT)
    said = out_of([python, "-c", BUILD.format("sdist", str(folder))], copy)
    archive = folder / said.splitlines()[-1]
    with tarfile.open(archive) as file:
        file.extractall(folder / "unpacked", filter="data")
    [source] = (folder / "unpacked").iterdir()
    said = out_of([python, "-c", BUILD.format("wheel", str(folder))], source)
    return archive, folder / said.splitlines()[-1]


def test_building_leaves_no_modules_in_the_checkout(shipped):
    [source] = (shipped[0].parent / "unpacked").iterdir()
    assert (source / "setup.py").exists()
    assert not (source / "build").exists()


def test_the_archive_has_docs_examples_and_tests(shipped):
    with tarfile.open(shipped[0]) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    for folder in ("docs", "examples", "tests", "benchmarks", "reference"):
        of_the_checkout = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert of_the_checkout <= names
    assert {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "wlnn/py.typed"} <= names
    assert not [name for name in names if name.endswith(".pyc")]


def test_a_newcomer_goes_through_the_tutorial(shipped, tmp_path):
    """Every command and every Python line of docs/tutorial.md, from the wheel alone."""
    python = bare(tmp_path / "env")
    out_of([python, "-m", "pip", "install", "-q", shipped[1]], tmp_path)
    commands = re.findall(r"^wlnn .*$", TUTORIAL, re.MULTILINE)
    assert len(commands) >= 8
    for command in commands:
        out_of([python, "-m", *command.split()], tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)
    said = out_of([python, "-c", code], tmp_path)
    assert "Landscape: spiral-classify, 2-6-6-6-2 relu, 116 parameters" in said
    assert re.search(r"right on \d\d% of the test points", said)
    for name in ("numbers/curves.csv", "both.json", "both.html", "compare.png"):
        assert (tmp_path / name).stat().st_size > 500
    # types and tables came along, and a stranger's interpreter finds the command
    where = out_of([python, "-c", "import wlnn; print(wlnn.__file__)"], tmp_path).strip()
    assert Path(where).with_name("py.typed").exists()
    assert "site-packages" in where
    assert "0.1" in out_of([tmp_path / "env" / "bin" / "wlnn", "--version"], tmp_path)


def test_it_runs_without_an_environment_of_its_own(shipped, tmp_path):
    """The two lines of docs/tutorial.md, from the wheel."""
    python = bare(tmp_path / "env")
    out_of([python, "-m", "pip", "install", "-q", "pipx", "uv"], tmp_path)
    for line in (("pipx", "run", "--spec"), ("uvx", "--from")):
        tool = [python.with_name(line[0]), *line[1:], shipped[1], "wlnn", "--version"]
        assert "wlnn, version 0.1" in out_of(tool, tmp_path)
