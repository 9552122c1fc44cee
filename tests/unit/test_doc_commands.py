"""Every command that README and docs show is one that the program takes."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from wlnn.cli.main import wlnn
from wlnn.runs import recipe

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^ *wlnn ((?:sample|probe|md|seek|train|tune)\b[^\n#`]*)", re.MULTILINE)


class AcceptedError(Exception):
    """The options made a recipe."""


def commands():
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for match in COMMAND.finditer(text):
            words = shlex.split(match[1])
            shown = {name for name in words if "..." in name or name.startswith("runs/")}
            if not shown:  # of a run that must be there first
                yield pytest.param(words, id=f"{page.stem}: {' '.join(words)}"[:90])


@pytest.mark.parametrize("words", [*commands()])
def test_a_command_of_the_docs_is_accepted(words, monkeypatch):
    def task(_):
        raise AcceptedError

    monkeypatch.setattr(recipe.Recipe, "task", task)
    result = CliRunner().invoke(wlnn, words, standalone_mode=False)
    assert isinstance(result.exception, AcceptedError), (result.exception, result.output)


def test_there_are_commands_to_try():
    assert len(list(commands())) > 30
