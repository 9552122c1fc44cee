"""`wlnn reproduce`: what a record says, what decides a claim, and the table of the docs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import run

from wlnn.landscape.landscape import Landscape
from wlnn.landscape.verdict import Judgement
from wlnn.report import scoreboard
from wlnn.runs import claims, figures
from wlnn.training.difference import Difference
from wlnn.training.trained import Trained

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "tests" / "golden" / "runs"
SHARED = ROOT.parent / "shared" / "data"
FILES = {  # options, and the file that each needs
    "fig6": ("--cifar", "cifar/cifar_deerfrog_exact836.npz"),
    "fig7": ("--house", "house/train.csv"),
    "fig9": ("--polymer", "polymer/Egb.csv"),
}
LESS = {
    "fig4": ("md.steps=400", "md.record=20"),
    "fig6": ("data.points=16", "data.test_points=16", "data.selection=seeded"),
    "fig3": ("ladder.x_low=-1",),
    "fig7": ("ladder.x_low=-1",),
    "fig9": ("ladder.x_low=-1",),
}
CLAIM = {"kind": "advantage", "words": "w", "published": "better", "source": "s", "at": [-0.5]}


@pytest.fixture(scope="module")
def pair():
    """A landscape and trainings of its task; its verdict is stored with it."""
    return Landscape.load(RUNS / "wlmc"), Trained.load(RUNS / "trained")


def believed(landscape):
    """The same, as if it were publishable."""
    stored = {"word": "publishable", "reason": "", "change": "", "numbers": {}}
    return replace(landscape, meta={**landscape.meta, "verdict": stored})


def difference(value, half, reliable=True):
    """Equilibrium minus trained of a record where more is better."""
    verdict = int(np.sign(value)) if abs(value) > half else 0
    numbers = -3.0, 0.9, 0.01, 0.8, 0.01, 50, value, half / 2, half
    return Difference(*numbers, verdict, reliable)


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ([(0.1, 0.02), (0.05, 0.02)], "holds"),
        ([(0.1, 0.02), (-0.05, 0.02)], "fails"),
        ([(0.1, 0.02), (0.01, 0.02)], "undecided"),
        ([(0.1, 0.02, False)], "undecided"),
    ],
)
def test_intervals_decide_a_claim(numbers, verdict, pair, monkeypatch):
    found = iter(difference(*one) for one in numbers)
    monkeypatch.setattr(claims, "compare_trained", lambda *_: None)
    monkeypatch.setattr(claims, "at", lambda *_: next(found))
    claim = {**CLAIM, "at": [-1.0] * len(numbers)}
    pairs = [(believed(pair[0]), [pair[1]])]
    judged = claims.judged_claim(claim, pairs, [])
    assert judged["verdict"] == verdict
    assert len(judged["ours"]) == len(numbers)


def test_a_landscape_that_is_not_publishable_decides_nothing(pair, monkeypatch):
    monkeypatch.setattr(claims, "compare_trained", lambda *_: None)
    monkeypatch.setattr(claims, "at", lambda *_: difference(0.5, 0.01))
    judged = claims.judged_claim(CLAIM, [(pair[0], [pair[1]])], [])
    assert judged["verdict"] == "undecided"
    assert judged["ours"][0]["why"].startswith("landscape: look again")
    assert judged["ours"][0]["value"] == 0.5


def test_rows_below_have_no_part_in_a_claim(pair, monkeypatch):
    """Of a landscape that is publishable but for its lowest rows."""
    asked = []

    def judged(landscape, x):
        asked.append(x)
        return Judgement("publishable" if x > -4 else "look again", "lower rows")

    monkeypatch.setattr(claims, "judge_from", judged)
    monkeypatch.setattr(claims, "compare_trained", lambda *_: None)
    monkeypatch.setattr(claims, "at", lambda _, x: difference(0.5, 0.01)._replace(x=x))
    for x, verdict in ((-3.0, "holds"), (-5.0, "undecided")):
        told = claims.judged_claim({**CLAIM, "at": [x]}, [(pair[0], [pair[1]])], [])
        assert told["verdict"] == verdict
    assert asked == [-3.0, -5.0]


def test_losses_that_nobody_comes_to_decide_nothing(pair):
    judged = claims.judged_claim({**CLAIM, "at": [-9.0]}, [(believed(pair[0]), [pair[1]])], [])
    assert judged["verdict"] == "undecided"
    assert judged["ours"][0]["why"] == claims.APART
    assert claims.judged_claim(CLAIM, [], [])["verdict"] == "undecided"


def test_published_numbers_are_within_a_distance_or_not(pair):
    landscape, two = pair
    eight = {name: np.concatenate([values] * 4) for name, values in two.records.items()}
    trained = replace(two, records=eight, diverged=np.concatenate([two.diverged] * 4))
    curve = trained.pooled("epochs").curve("test-accuracy")
    k = int(np.nanargmax(curve.trainings))
    claim = {**CLAIM, "kind": "trained", "at": [float(curve.x[k])], "within": 100.0}
    for runs, far, verdict in (
        (trained, 0, "holds"),
        (trained, 1e4, "fails"),
        (two, 0, "undecided"),
    ):
        numbers = {"published": [float(curve.value[k]) + far]}
        judged = claims.judged_claim({**claim, **numbers}, [(landscape, [runs])], [])
        assert judged["verdict"] == verdict


def test_a_scale_shortens_what_the_user_did_not_give():
    wanted = figures.Wanted(scale=0.1, changes=("wlmc.steps=5e5", "train.epochs=7"))
    changes = figures.lengths("spiral-classify", "wlmc", wanted, ["network.width=6"])
    assert changes == ["network.width=6", "wlmc.steps=5e5", "wlmc.anchor_draws=100000"]
    trained = figures.lengths("spiral-classify", "train", wanted, [])
    assert trained == ["train.epochs=7", "train.runs=10"]
    assert figures.lengths("spiral-classify", "wlmc", figures.Wanted(), []) == []


def test_every_claim_can_be_measured():
    from wlnn.cli.reproduce import FIGURES

    for name in FIGURES:
        table = figures.figure_table(name)
        for claim in table["claims"]:
            assert claim["kind"] in claims._MEASURES
            assert claim["published"]
            assert claim["source"].startswith(("paper, Fig", "published run"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fig7",), "house-price is left out: its file is not given, --house FILE"),
        ((), "name one or more of fig1, fig2, fig3"),
        (("fig5",), "fig5"),
        (("--table", "--out", "nowhere"), "nowhere: holds no fig*.json"),
        (("fig1", "--set", "wlmc.stepz=5"), "did you mean"),
    ],
)
def test_mistakes_get_a_sentence(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("reproduce", *words)
    assert done.status == 2
    assert said in done.err


def test_a_record_of_another_command_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "fig1.json"
    path.write_text(json.dumps({"command": "wlnn reproduce fig1", "core_minutes": 5}))
    done = run("reproduce", "fig1", "--scale", "0.1", "--out", tmp_path)
    assert done.status == 2
    assert "is of 'wlnn reproduce fig1'; choose another --out" in done.err
    assert json.loads(path.read_text())["core_minutes"] == 5


def test_the_table_of_the_docs_is_that_of_the_records():
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert "\n".join(scoreboard.table(scoreboard.read_records(ROOT / "docs" / "results"))) in page


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fig1", "fig2", "fig3", "fig4", "fig6", "fig7", "fig8", "fig9"])
def test_a_small_scale_of_a_figure_is_judged(name, tmp_path, monkeypatch):
    """And decides nothing that 95 % intervals of believable runs do not; fig2: digits alone."""
    monkeypatch.chdir(tmp_path)
    words = [
        "reproduce",
        name,
        "--scale",
        "0.0001" if name == "fig6" else "0.001",
        "--networks",
        "1",
        "--data-sets",
        "1",
    ]
    words += [f"--set={change}" for change in LESS.get(name, ())]
    if name in FILES:
        option, needed = FILES[name]
        if not (SHARED / needed).exists():
            pytest.skip(f"{needed} is not in ../shared/data beside the checkout")
        words += [option, SHARED / needed]
    done = run(*words)
    assert done.status == 0, done.err
    record = json.loads((tmp_path / "runs" / "figures" / f"{name}.json").read_text())
    assert len(record["claims"]) == len(figures.figure_table(name)["claims"])
    for claim in record["claims"]:
        decided = [row for row in claim["ours"] if row["verdict"] != "undecided"]
        assert all(row["half"] is not None and not row["why"] for row in decided)
        assert claim["verdict"] in ("holds", "fails", "undecided")
    drawn = list((tmp_path / "runs" / "figures").glob(f"{name}*.png"))
    assert drawn or record["left_out"]  # a run that was too short for a result, which is told
    again, before = (
        [line for line in out.splitlines()[:-1] if not line.startswith("left out")]
        for out in (run(*words).out, done.out)
    )
    assert again == before  # found again; of a run left out the first ladder that ends speaks
