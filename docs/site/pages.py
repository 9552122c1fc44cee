"""Pages of the site that are made and not written: front page, commands, Python, changes.

A hook of MkDocs; `mkdocs.yml` names it. The commands come from click, the Python names from the
front door of the package, so that neither can be forgotten.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
GROUPS = {  # heading -> how the homes of its names begin
    "Runs of every kind": ("wlnn.runs.experiment",),
    "Samplers": ("wlnn.wlmc", "wlnn.wlmd", "wlnn.ladder", "wlnn.base"),
    "Landscapes": ("wlnn.landscape", "wlnn.runs", "wlnn.canonical.reweight"),
    "Tasks and networks": ("wlnn.tasks", "wlnn.networks"),
    "At a temperature": ("wlnn.canonical",),
    "Trained networks": ("wlnn.training", "wlnn.report.training"),
    "Settings": ("wlnn.settings",),
    "Pictures": ("wlnn.report.plot",),
    "Exact cases": ("wlnn.reference",),
}


def on_config(config):
    """Put pages that the menu of mkdocs.yml does not name under "More" at its end."""
    named = set(re.findall(r"[\w-]+\.md", str(config.nav)))
    left = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name not in named)
    if left:
        config.nav.append({"More": left})
    return config


def on_page_markdown(markdown, page, config, files):
    """Links to files outside docs as plain words: the site does not have these files."""
    return re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"\1", markdown)


def on_page_content(html, page, config, files):
    """Names in docstrings without the roles before them, which only Sphinx reads."""
    return re.sub(r":(?:class|func|meth|attr|mod|data):(?=<code>)", "", html)


def on_files(files, config):
    """Add the pages that are made."""
    made = {
        "index.md": front_page(),
        "commands.md": commands(),
        "python.md": python(),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text("utf-8").replace("](docs/", "]("),
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def front_page() -> str:
    """README.md, its links as they are from inside docs; those out of docs become plain words."""
    text = (ROOT / "README.md").read_text("utf-8").replace("](docs/", "](")
    return re.sub(r"\[([^\]]+)\]\(CITATION\.cff\)", r"\1", text)


def commands() -> str:
    """What `--help` says of every command, and of those inside commands."""
    from wlnn.cli.main import wlnn

    lines = ["# Commands", "", "What each command says with `--help`.", ""]

    def add(command, parent, name: str) -> None:
        context = click.Context(command, info_name=name, parent=parent, max_content_width=88)
        path = context.command_path
        lines.extend([f"## {path}", "", "```text", command.get_help(context).rstrip(), "```", ""])
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                add(command.get_command(context, inner), context, inner)

    add(wlnn, None, "wlnn")
    return "\n".join(lines)


def python() -> str:
    """Every name of the front door under a heading, for mkdocstrings."""
    import wlnn

    left = dict(wlnn._HOMES)
    lines = ["# Python", "", "`import wlnn` loads nothing heavy, each name when it is used.", ""]
    for heading, homes in GROUPS.items():
        lines += [f"## {heading}", ""]
        for name in [name for name, home in left.items() if home.startswith(homes)]:
            home, _, there = left.pop(name).partition(":")
            if there != "*":  # a whole module
                home = home.replace("wlnn.reference", "reference")  # where its sources are
                lines += [f"::: {home}.{there or name}", ""]
    if left:
        raise ValueError(f"no group of docs/site/pages.py has {', '.join(left)}")
    return "\n".join(lines)
