"""Pages about runs: complete, self-contained, and the command on them makes the same run.

All on the runs of `tests/golden/runs` but for one of a toy problem.
"""

import base64
import hashlib
import io
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_line import BALL, SHORT, run
from matplotlib import image

from wlnn.base.running import Report
from wlnn.cli import report as command
from wlnn.cli.main import wlnn
from wlnn.report import page as pages
from wlnn.report import plot_page
from wlnn.report.cite import citations
from wlnn.runs.command import read_settings
from wlnn.runs.facts import PAGE, facts_of
from wlnn.runs.recipe import read_recipe

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "tests" / "golden" / "runs"
MADE_BY_COMMANDS = (
    "wlmc",
    "wlmc-cut",
    "wlmc-merged-cut",
    "wlmd",
    "md",
    "trained",
    "tuned",
    "seek-cut",
)


def not_rendered(title, draw, *what):
    """A picture that was drawn, and whose pixels nobody waits for."""
    assert draw(*what).axes
    return plot_page.Picture(title, "data:image/png;base64,light", "data:image/png;base64,dark")


@pytest.fixture(scope="module", autouse=True)
def quick_pictures():
    """Rendering takes seconds; `test_light_and_dark_pictures_differ` and the browser look at it."""
    before, plot_page._twice = plot_page._twice, not_rendered
    yield before
    plot_page._twice = before


@pytest.fixture(scope="module")
def landscape():
    """What is known of a landscape, and its page."""
    facts = facts_of(RUNS / "wlmc")
    return facts, pages.page([facts])


def outside(text):
    """Whatever a browser would fetch, or a reader be led to."""
    fetched = re.findall(r'(?:src|srcset|href)="([^"]*)"', text)
    text = re.sub(r"data:image/png;base64,[\w+/=]+", "", text)
    return [one for one in fetched if not one.startswith("data:")] + re.findall(
        r"https?://\S+|url\(.*?\)|@import.*", text
    )


def test_a_page_holds_everything(landscape):
    facts, text = landscape
    for words in (
        "spiral-classify, 2-2-2 relu, 12 parameters",
        "2 walkers × 2e5 steps",
        "466 round trips",
        "-1.07 ± 0.55",
        "± is half the 95 % interval",
        "<dt>anchor_draws</dt><dd>10000</dd>",
        "wlmc.seed 1",
        "numba 0.68.1",
        "arXiv:2503.13145",
        "wlnn sample --task spiral-classify --layers 1 --width 2",
    ):
        assert words in text, words
    headings = re.findall("<h2>(.*?)</h2>", text)
    assert headings == [
        "What came out", "Landscape", "Curves", "Diagnostics", "Settings", "Seeds and versions",
        "Files", "Make it again", "How to cite",
    ]  # fmt: skip
    assert text.count("data:image/png") == 2 * 3  # light and dark
    for name, size, digest in facts.files:
        contents = (RUNS / "wlmc" / name).read_bytes()
        assert (size, digest) == (len(contents), hashlib.sha256(contents).hexdigest())
        assert digest in text
    assert {name for name, _, _ in facts.files} >= {"landscape.npz", "run.json", "walker-000.npz"}
    assert "refresh" not in text


def test_nothing_leads_outside(landscape):
    assert outside(landscape[1]) == []
    assert outside('<img src="a.png"> url(b)') == ["a.png", "url(b)"]  # the test can fail
    assert pages.NOTHING_OUTSIDE in landscape[1]
    assert "prefers-color-scheme: dark" in landscape[1]
    assert "@media print" in landscape[1]


def test_light_and_dark_pictures_differ(landscape, quick_pictures, monkeypatch):
    monkeypatch.setattr(plot_page, "DPI", 20)
    picture = quick_pictures("Curves", plot_page.plot_curves, landscape[0].result)
    shown = [address.partition(",")[2] for address in picture[1:]]
    light, dark = (image.imread(io.BytesIO(base64.b64decode(text)))[0, 0] for text in shown)
    assert light[:3].tolist() == [1, 1, 1]
    assert dark[:3].max() < 0.12


def test_a_verdict_stands_at_the_top_and_names_are_escaped(landscape):
    facts, before = landscape
    assert '<p class="verdict">Verdict: ' in before
    task = {**facts.result.meta["task"], "task": "<script>alert(1)</script>"}
    meta = {**facts.result.meta, "verdict": {"word": "look again"}, "task": task}
    text = pages.page([replace(facts, result=replace(facts.result, meta=meta))])
    assert text.index('<p class="verdict">Verdict: look again</p>') < text.index("<h2>")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize("name", ["wlmd-cut", "maxent/run", "md", "md-cut", "trained", "tuned"])
def test_every_kind_of_run_has_a_page(name, tmp_path):
    out = tmp_path / "page.html"
    done = run("report", RUNS / name, "--out", out)
    assert done.status == 0, done.err
    text = out.read_text(encoding="utf-8")
    assert outside(text) == []
    assert ("not finished" in text) == name.endswith("cut")
    assert ("data:image/png" in text) == (name != "md-cut")  # of which there is one record
    assert ("Hruza" in text) == (name == "maxent/run")
    assert ("wlnn sample --" in text or "wlnn md" in text or "wlnn t" in text) != (
        name == "maxent/run"
    )


def test_several_runs_side_by_side(tmp_path):
    out = tmp_path / "both.html"
    done = run("report", RUNS / "wlmc", RUNS / "wlmc-cut", "--out", out)
    assert done.status == 0, done.err
    text = out.read_text(encoding="utf-8")
    assert "<h1>2 runs: wlmc, wlmc-cut</h1>" in text
    assert "<h2>Against the first</h2>" in text
    assert "B - A, S(x): " in text
    assert text.count("<h3>A  wlmc</h3>") == text.count("<h3>B  wlmc-cut</h3>") == 8
    other = run("report", RUNS / "wlmc", RUNS / "trained", "--out", out)
    assert other.status == 0, other.err
    assert "Against the first" not in out.read_text(encoding="utf-8")


def test_searches_have_no_page(tmp_path):
    done = run("report", RUNS / "seek-cut", "--out", tmp_path / "page.html")
    assert done.status == 2
    assert "is a run of 'wlnn seek' and has no landscape" in done.err


class TakenError(Exception):
    """The command made a recipe."""


@pytest.mark.parametrize("name", MADE_BY_COMMANDS)
def test_the_command_makes_the_same_run(name, monkeypatch):
    from wlnn.base import store
    from wlnn.cli import canonical, sample, search, train
    from wlnn.runs.command import command_of

    wanted, taken = read_recipe(RUNS / name), []

    def execute(recipe, directory, *_, **__):
        taken.append((recipe, directory))
        raise TakenError

    for module in (sample, canonical, search, train):
        monkeypatch.setattr(module, "execute", execute)
    notes = store.read_run(RUNS / name).get("search")
    words = shlex.split(command_of(wanted, "somewhere", notes))
    assert words[0] == "wlnn"
    result = CliRunner().invoke(wlnn, words[1:], standalone_mode=False)
    assert isinstance(result.exception, TakenError), (result.exception, result.output)
    recipe, directory = taken[0]
    assert str(directory) == "somewhere"
    assert (recipe.source, recipe.sampler, recipe.preset) == (
        wanted.source, wanted.sampler, wanted.preset,
    )  # fmt: skip
    assert read_settings(recipe) == read_settings(wanted)


@pytest.fixture(scope="module")
def ball(tmp_path_factory):
    """A run of `wlnn sample --live` of a problem in a file, and what the command said."""
    folder = tmp_path_factory.mktemp("ball")
    (folder / "ball.py").write_text(BALL)
    task = f"{folder}/ball.py:problem"
    return folder, run("sample", "--task", task, *SHORT, "--live", "--out", folder / "r")


def test_sample_live_leaves_a_page(ball):
    folder, done = ball
    assert done.status == 0, done.err
    assert done.out.splitlines()[-1] == str(folder / "r" / PAGE)
    text = (folder / "r" / PAGE).read_text(encoding="utf-8")
    assert "<h1>ball</h1>" in text
    assert "refresh" not in text


def test_a_run_whose_file_has_changed_says_so(ball):
    folder, _ = ball
    facts = facts_of(folder / "r", sums=False)
    assert facts.known
    assert f"--task {folder}/ball.py:problem" in facts.command
    assert facts.files == []
    (folder / "ball.py").write_text(BALL + "\n")
    facts = facts_of(folder / "r")
    assert not facts.known
    assert "has changed since the run" in facts.command
    assert facts.settings["wlmc"]["steps"] == 1000
    assert PAGE not in {name for name, _, _ in facts.files}


def test_what_to_cite_is_that_of_the_citation_file():
    known = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    said = " ".join(citations({"task": "context-select"}))
    for number in re.findall(r"arXiv:[\d.]+\d", known):
        assert number in said
    for title in re.findall(r'  title: "(.*)"', known):
        assert title in said
    assert "Hruza" not in " ".join(citations({"task": "spiral-classify"}))


def test_a_live_page_follows_the_checkpoints(tmp_path):
    folder = shutil.copytree(RUNS / "wlmc-cut", tmp_path / "run")
    said = []
    live = command.LivePage(folder, said.append)
    live(Report(0.1, line="one"))
    first = (folder / PAGE).read_text(encoding="utf-8")
    assert 'http-equiv="refresh" content="10"' in first
    assert "sums are computed when the run is finished" in first
    assert [report.line for report in said] == ["one"]
    (folder / PAGE).unlink()
    live.due = 0.0
    live(Report(0.2))  # no new checkpoint
    assert not (folder / PAGE).exists()
    assert live.write() == folder / PAGE  # at the end
    assert "refresh" not in (folder / PAGE).read_text(encoding="utf-8")


def test_a_page_that_fails_stops_no_run(tmp_path, monkeypatch):
    folder = shutil.copytree(RUNS / "wlmc-cut", tmp_path / "run")

    def broken(*_):
        raise ZeroDivisionError("nothing to draw")

    monkeypatch.setattr(pages, "page", broken)
    said = []
    live = command.LivePage(folder, said.append)
    assert live.write(10) is None
    assert live.write(10) is None
    assert [report.notes for report in said] == [("no page could be made: nothing to draw",)]


@pytest.mark.slow
def test_a_browser_shows_it_and_asks_for_nothing(tmp_path, quick_pictures, monkeypatch):
    monkeypatch.setattr(plot_page, "_twice", quick_pictures)
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("there is no Chromium on this machine")
    one, several = tmp_path / "one.html", tmp_path / "several.html"
    assert run("report", RUNS / "wlmc", "--out", one).status == 0
    assert run("report", RUNS / "wlmc", RUNS / "wlmc-cut", "--out", several).status == 0
    with sync.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for path in (one, several):
            for width in (1280, 390):
                for scheme in ("light", "dark"):
                    shown = chromium.new_page(
                        viewport={"width": width, "height": 900}, color_scheme=scheme
                    )
                    said, asked = [], []
                    shown.on("console", lambda message, said=said: said.append(message.text))
                    shown.on("pageerror", lambda error, said=said: said.append(str(error)))
                    shown.on("request", lambda request, asked=asked: asked.append(request.url))
                    shown.goto(path.as_uri())
                    assert said == []
                    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
                    assert shown.evaluate("document.documentElement.scrollWidth") <= width
                    drawn = "[...document.images].every(i => i.complete && i.naturalWidth > 50)"
                    assert shown.evaluate(drawn)
                    back = shown.evaluate("getComputedStyle(document.body).backgroundColor")
                    assert (back == "rgb(255, 255, 255)") == (scheme == "light")
                    shown.emulate_media(media="print")  # on paper it is never dark
                    back = shown.evaluate("getComputedStyle(document.body).backgroundColor")
                    assert back == "rgb(255, 255, 255)"
        chromium.close()
