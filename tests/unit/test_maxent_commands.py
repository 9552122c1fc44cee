"""`wlnn maxent` as a user types it: tables, files, figures, and sentences for bad input."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from command_line import run as wlnn

from wlnn.base import store
from wlnn.maxent.patterns import binary_patterns, solve_patterns

SHORT = ["--units", "120", "--steps", "60", "--batch", "16", "--seeds", "1", "--processes", "1"]


def run(*arguments):
    return wlnn("maxent", *arguments)


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from click.testing import CliRunner; from wlnn.cli.maxent import maxent;"
        "import wlnn.maxent as m; dir(m);"
        "names = ['', *maxent.commands];"
        "assert all(CliRunner().invoke(maxent, [*([n] if n else []), '--help']).exit_code == 0"
        " for n in names);"
        "assert not {'numpy', 'scipy', 'numba', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_exists():
    import wlnn.maxent

    for name in wlnn.maxent.__all__:
        assert callable(getattr(wlnn.maxent, name))
    with pytest.raises(AttributeError, match="no attribute"):
        _ = wlnn.maxent.nothing


def test_solve_prints_and_writes_the_table(tmp_path):
    result = run("solve", "--contexts", "2,4", "--weight-scale", "0.5,1", "--out", tmp_path / "a")
    assert result.status == 0, result.err
    table = [line.split() for line in result.out.splitlines()[:5]]
    assert table[0][:4] == ["K", "sigma", "alpha", "beta"]
    assert table[2][:2] == ["2", "1"]
    assert float(table[2][2]) == pytest.approx(1.05475)
    with open(tmp_path / "a" / "solve.csv") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[1]["alpha"]) == pytest.approx(1.05475090468, abs=1e-11)
    assert float(rows[3]["p(4)"]) == pytest.approx(0.0382477942, abs=1e-10)
    assert rows[0]["p(4)"] == ""
    document = json.loads((tmp_path / "a" / "solve.json").read_text())
    assert document["mode"] == "prior"
    assert sum(document["rows"][3]["drive"]) == pytest.approx(1)


def test_solve_in_the_other_modes():
    moment = run("solve", "--contexts", "2", "--weight-scale", 2**0.5, "--mode", "moment")
    assert moment.status == 0
    assert "1.08284" in moment.out  # alpha at s = 2
    quenched = run("solve", "--contexts", "2", "--weight-scale", "1", "--gains", "quenched")
    assert quenched.out.split()[-3:] == ["0.25", "0.5", "0.25"]
    tanh = run("solve", "--contexts", "2", "--weight-scale", "2", "--gain", "tanh")
    assert tanh.status == 0
    assert "0.235808" in tanh.out  # KL
    relu = run("solve", "--contexts", "2", "--weight-scale", "2", "--gain", "relu")
    assert relu.status == 0
    assert "effective_sample" not in relu.out


def test_lists_too_long_for_the_screen_are_left_out():
    result = run("solve", "--contexts", "2,40", "--weight-scale", "1")
    assert "p(1)" not in result.out
    assert "left out here: p" in result.err


def test_solve_with_another_target(tmp_path):
    file = tmp_path / "moments.txt"
    file.write_text("1, 0.2, 0\n\n-0.5 2 1\n")
    result = run("solve", "--target", file, "--weight-scale", "0.5,1", "--out", tmp_path / "t")
    assert result.status == 0, result.err
    rows = json.loads((tmp_path / "t" / "solve.json").read_text())["rows"]
    law = solve_patterns(*binary_patterns(2), 1.0, target=[[1, 0.2, 0], [-0.5, 2, 1]])
    assert rows[1]["KL"] == pytest.approx(law.kl, rel=1e-12)
    assert rows[1]["multipliers"] == pytest.approx(law.multipliers.ravel())
    for text, said in (("1 2\n3", "equally many"), ("1 x", "no number"), ("", "finite numbers")):
        file.write_text(text)
        bad = run("solve", "--target", file)
        assert bad.status == 2
        assert said in bad.err


def test_sample_measures_the_loss_and_draws_it(tmp_path):
    out = tmp_path / "s"
    result = run("sample", "--units", "20,60", "--networks", "20", "--relu", "--out", out)
    assert result.status == 0, result.err
    assert "infinitely wide ReLU network" in result.out
    network, about = store.load(out / "network.npz")
    assert network["m"].shape == (60, 3)
    np.testing.assert_array_equal(network["w"][:30], -network["w"][30:])
    assert about["K"] == 3
    assert (out / "loss-against-units.png").read_bytes()[:4] == b"\x89PNG"
    again = run("sample", "--units", "20,60", "--networks", "20", "--relu")
    assert again.out.splitlines()[:3] == result.out.splitlines()[:3]  # same seed


def test_train_and_compare(tmp_path):
    out = tmp_path / "c"
    result = run("compare", "--contexts", "2..4", "--weight-scale", "0.5,2", *SHORT, "--out", out)
    assert result.status == 0, result.err
    assert "c_g: Pearson" in result.out
    figures = {path.stem for path in out.glob("*.png")}
    assert figures == {
        "populations", "population-ratios", "specialisation", "selectivity", "scatter", "weights",
    }  # fmt: skip
    arrays, about = store.load(out / "networks" / "K4-sigma0.5-seed0.npz")
    assert (arrays["a"].shape, about["learning_rate"]) == ((120, 4), 0.2)
    document = json.loads((out / "compare.json").read_text())
    assert len(document["rows"]) == 6
    assert document["agreement"]["c_g"]["settings"] == 6
    trained = run("train", "--contexts", "2", "--weight-scale", "0.5", *SHORT)
    row = [line for line in result.out.splitlines() if line.split()[:2] == ["2", "0.5"]]
    assert trained.out.splitlines()[1].split() == row[0].split()


def test_landscape(tmp_path):
    out = tmp_path / "l"
    short = ["--steps", "20000", "--walkers", "1", "--units", "4", "--out", out]
    result = run("landscape", "--contexts", "1", "--ungated", *short)
    assert result.status == 0, result.err
    assert "exact" in result.out
    assert (out / "landscape.png").read_bytes()[:4] == b"\x89PNG"
    from wlnn.landscape.landscape import Landscape

    assert Landscape.load(out / "run" / "landscape.npz").networks["theta"].shape[1] == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["solve", "--contexts", "0"], "contexts = 0"),
        (["solve", "--contexts", "8..2"], "backwards; write 2..8"),
        (["solve", "--contexts", "two"], "write 4, 2,4,8 or 2..8"),
        (["solve", "--contexts", "1..999999"], "too long"),
        (["solve", "--weight-scale", "1..2"], "write 0.25,0.5,1,2"),
        (["solve", "--weight-scale", "0"], "weight scale = 0"),
        (["solve", "--weight-scale", "1", "--mode", "moment"], "below the feasible one"),
        (["solve", "--mode", "moment", "--weight-scale", "-2"], "weight scale = -2"),
        (["solve", "--f", "1.5"], "f = 1.5"),
        (["solve", "--gain", "tanh", "--mode", "moment"], "--mode prior"),
        (["solve", "--contexts", "2", "--gain", "sigmoid"], "larger weight"),
        (["sample", "--units", "101", "--antithetic"], "even number, say 102"),
        (["sample", "--units", "0"], "units = 0"),
        (["sample", "--networks", "1"], "'--networks': 1 is not in"),
        (["train", "--seeds", "0"], "'--seeds': 0 is not in"),
        (["landscape", "--units", "0"], "'--units': 0 is not in"),
        (["landscape", "--box", "0.5"], "wider box"),
        (["landscape", "--ungated"], "only K = 1"),
        (["landscape", "--steps", "5"], "wlmc.stages"),
        (["train", "--batch", "7", "--processes", "1"], "even number"),
        (["train", "--units", "-3", "--processes", "1"], "'--units': -3 is not in"),
        (["train", "--processes", "0"], "0 is not in the range"),
        (["sample", "--seed", "-1"], "-1 is not in the range"),
        (["landscape", "--steps", "many"], "'many' is no finite number"),
        (["landscape", "--walkers", "0"], "'--walkers': 0 is not in"),
        (["solve", "--context-scale", "2"], "--gain sigmoid, tanh or relu"),
        (["solve", "--target", "nowhere.txt"], "nowhere.txt: cannot be read"),
        (["solve", "--target", "nowhere.txt", "--mode", "moment"], "--mode prior"),
        (["solve", "--target", "nowhere.txt", "--contexts", "3"], "leave --contexts out"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_status_2(arguments, said):
    result = run(*arguments)
    assert result.status == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_an_output_that_cannot_be_written_is_told_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("train", "--contexts", "2", "--out", tmp_path / "file" / "x")
    assert result.status == 2
    assert "cannot be made" in result.err


def test_the_group_alone_shows_its_help():
    shown = wlnn("maxent")
    assert shown.status == 0
    assert shown.out == wlnn("maxent", "--help").out
