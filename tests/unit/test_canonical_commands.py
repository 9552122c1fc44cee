"""`wlnn md`, `canonical`, `seek` as their user sees them, on a tiny task."""

import numpy as np
import pytest
from command_line import contents, run
from test_reweight import power_law

from wlnn import store

# without a hidden layer nothing is compiled
TINY = ("--task", "spiral-classify", "--layers", "0", "--points", "8")
MD = ("md", *TINY, "--temperature", "0.02", "--steps", "1000", "--walkers", "3", "--threads", "1",
      "--set", "md.record=50")  # fmt: skip


def test_md_makes_records_and_a_picture_and_finds_them_again(tmp_path):
    folder = tmp_path / "md"
    first = run(*MD, "--out", folder)
    assert first.status == 0, first.err
    assert "T = 0.02: 3 walkers x 1,000 steps" in first.out
    assert "test accuracy" in first.out
    assert {path.name for path in folder.iterdir()} == {"run.json", "md.npz", "md.png"}
    before = contents(folder / "md.npz"), store.load(folder / "md.npz")
    again = run("resume", folder)
    assert again.status == 0, again.err
    assert again.out == first.out
    np.testing.assert_array_equal(
        store.load(folder / "md.npz")[0]["records"], before[1][0]["records"]
    )
    newtonian = run(*MD, "--newtonian", "--out", tmp_path / "newton")
    assert "energy drift" in newtonian.out
    other = run(*MD, "--seed", "5", "--out", folder)
    assert other.status == 2
    assert "belongs to another run" in other.err

    path = power_law(20, y=lambda x: 0 * x + 0.5, walkers=3, noise=0.1).save(tmp_path / "l.npz")
    found = run("canonical", path, "--temperature", "1e-3..1e-1", "--points", "4", "--md", folder)
    assert found.status == 0, found.err
    assert "molecular dynamics at T = 0.02 (3 walkers)" in found.out
    assert "standard errors" in found.out
    arrays, _ = store.load(tmp_path / "canonical.npz")
    np.testing.assert_allclose(arrays["loss"][:2], 10 * arrays["temperature"][:2], rtol=0.02)
    assert (tmp_path / "canonical.png").exists()


def test_canonical_says_which_temperatures_it_cannot_tell(tmp_path):
    path = power_law(20, low=-5.0, gauge="window").save(tmp_path / "l.npz")
    found = run("canonical", path, "--temperature", "1e-4,0.01")
    assert found.status == 0, found.err
    lines = {line.split()[0]: line for line in found.out.splitlines() if line.split()}
    cold, warm = lines["0.0001"], lines["0.01"]
    assert "not covered: up to 100% of the weight is below" in cold
    assert "not covered" not in warm
    assert "covered from T = 0.0016" in found.out


def test_seek_compares_all_methods(tmp_path):
    folder = tmp_path / "seek"
    words = ("seek", *TINY, "--evaluations", "1000", "--runs", "2", "--replicas", "2", "--threads",
             "1", "--set", "seek.stretch=20", "--set", "md.record=20", "--out", folder)  # fmt: skip
    found = run(*words)
    assert found.status == 0, found.err
    for name in ("langevin", "annealing", "tempering", "sgd", "adam"):
        assert any(line.strip().startswith(name) for line in found.out.splitlines()), name
    assert (folder / "seek.png").exists()
    assert run("resume", folder).out == found.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("md", "--temperature", "0"), "md.temperature must be above 0"),
        (("md", "--steps", "1001"), "md.steps must be a multiple of md.record"),
        (("md", "--loss-window", "3"), "--loss-window must be 2 numbers"),
        (("md", "--loss-window", "2,1"), "--loss-window 2,1 is empty"),
        (("seek", "--low", "1"), "seek.low must be below seek.high"),
        (("seek", "--at", "-2"), "--at needs --landscape"),
        (("seek", "--evaluations", "10"), "seek.evaluations must be 20 times"),
    ],
)
def test_mistakes_are_sentences(words, sentence, tmp_path):
    found = run(*words, "--out", tmp_path / "nothing")
    assert found.status == 2
    assert sentence in found.err
    assert "Traceback" not in found.err
    assert not (tmp_path / "nothing").exists()


def test_mistakes_of_canonical_are_sentences(tmp_path):
    path = power_law(20).save(tmp_path / "l.npz")
    for text in ("1e-1..1e-3", "a..b", "0,1"):
        assert run("canonical", path, "--temperature", text).status == 2
    assert run("canonical", path, "--md", path).err.endswith("give a run of `wlnn md`.\n")
