"""The documentation as a site: every link leads somewhere, and it builds without a warning."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def dead_links(text, folder):
    """Targets of relative links that are not there."""
    targets = [link.partition("#")[0] for link in LINK.findall(re.sub(r"(?s)```.*?```", "", text))]
    return [name for name in targets if ":" not in name and name and not (folder / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    assert dead_links(page.read_text(encoding="utf-8"), page.parent) == []
    assert dead_links("[a](nowhere.md) [b](https://x.org)", ROOT) == ["nowhere.md"]  # it can fail


def test_the_menu_names_pages_that_are_there():
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    named = set(re.findall(r": (\w+\.md)$", menu, re.MULTILINE))
    made = {"index.md", "commands.md", "python.md", "changelog.md"}
    assert len(named) > 15
    assert named <= made | {page.name for page in (ROOT / "docs").glob("*.md")}


@pytest.mark.slow
def test_it_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra `site` is not installed")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--site-dir",
        str(tmp_path / "s"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    pages = {path.parent.name: path.read_text("utf-8") for path in tmp_path.rglob("index.html")}
    assert {"landscape", "tutorial", "commands", "python", "format"} <= pages.keys()
    for name in ("wlnn report", "wlnn maxent landscape"):
        assert name in pages["commands"]
    assert "Wang-Landau Monte Carlo" in pages["python"]
    assert ":class:" not in pages["python"]
    loaded = r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"'
    assert [url for page in pages.values() for url in re.findall(loaded, page)] == []
