"""Networks on a landscape: a made one, where depth and shares are known, and runs on disk."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from wlnn.base.errors import UserError
from wlnn.cli.place import place as command
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.places import place
from wlnn.networks.fnn import FNN
from wlnn.report.places import sentence, table
from wlnn.runs.parameters import read_networks

RUNS = Path(__file__).parents[1] / "golden" / "runs"
NETWORK = FNN((2, 3, 1))
SHARES = np.array([[0.1, 0.6, 0.3], [0.02, 0.08, 0.9]])  # of the bins of y, in two rows of x


def made(y_name="test accuracy", noise=0.0, resampling="walkers"):
    """Two rows of three bins; walkers differ by ``noise`` nats in the bins of the lowest y."""
    grid = Grid(Axis("ln train loss", -2, 0, 2), Axis(y_name, -0.25, 1.25, 3))
    entropies = np.log(SHARES * [[0.2], [0.8]])[None] + np.zeros((3, 1, 1))
    entropies[:, :, 0] += noise * np.array([-1.0, 0, 1])[:, None]
    about = {"resampling": resampling, "sampler": "wlmc"}
    return Landscape(grid, entropies, np.ones((2, 3)), np.ones((2, 3), bool), about)


def test_depth_and_shares_of_a_made_landscape():
    found = place(made(), -1.5, 1.0)
    assert found.entropy.value == pytest.approx(np.log(0.2 * 0.3))
    assert found.below.value == pytest.approx(np.log(0.6 / 0.3))
    assert np.exp(found.lower.value) == pytest.approx(0.7 + 0.15)
    assert np.exp(found.higher.value) == pytest.approx(0.15)
    assert found.reliable
    ridge = place(made(), -0.5, 1.0)
    assert (ridge.below.value, np.exp(ridge.lower.value)) == (0, pytest.approx(0.55))


@pytest.mark.parametrize("resampling", ["walkers", "jackknife"])
def test_errors_are_those_of_the_walkers(resampling):
    """The lowest bin, 0.1 of its row, varies by 0.01 nat: so does the ln of half of it."""
    found = place(made(noise=0.01, resampling=resampling), -1.5, 0.0)
    factor = 3**-0.5 if resampling == "walkers" else 2 * 3**-0.5
    assert found.entropy.error == pytest.approx(0.01 * factor, rel=0.01)
    assert found.below.error == pytest.approx(0.01 * factor, rel=0.01)
    assert found.lower.error == pytest.approx(0.009 * factor, rel=0.02)  # its row grows too


def test_of_losses_the_lower_one_is_better():
    for name, worse in (("test accuracy", "85 ± 0 %"), ("ln test loss", "15 ± 0 %")):
        landscape = made(name)
        words = sentence(landscape, place(landscape, -1.5, 1.0), 0)
        assert (
            f"0.69 ± 0.00 nats below the ridge of its ln train loss: of all networks there, {worse}"
            in words
        )


def test_rare_networks_are_told_as_powers_of_e():
    landscape = made()
    landscape.entropies[:, 0, 2] -= 12
    found = place(landscape, -1.5, 1.0)
    line = table(landscape, [("mine", found, 4)])[1].split("  ")
    assert "1 in e^(13.5 ± 0.0)" in [cell.strip() for cell in line]
    assert line[-1].strip() == "4"


def test_outside_of_everything_there_is_no_number():
    landscape = made()
    landscape.entropies[:, 0, 0] = np.nan
    assert "outside the window" in sentence(landscape, place(landscape, -5, 1.0), 0)
    assert "where no walker ever was. 2 of its parameters lie outside the box" in sentence(
        landscape, place(landscape, -1.5, 0.0), 2
    )


def test_parameters_are_read_in_every_form(tmp_path, rng):
    """A vector, several, tensors by name in any order, a state_dict of other names."""
    theta = rng.normal(size=(2, NETWORK.n_parameters))
    tensors = dict(zip(NETWORK.layout.names, NETWORK.layout.views(theta[0]), strict=True))
    np.save(tmp_path / "net2.npy", theta[0])
    np.savez(tmp_path / "net10.npz", theta=theta)
    np.savez(tmp_path / "net1.npz", **dict(reversed(tensors.items())))
    np.savez(tmp_path / "net3.npz", **{f"fc.{k}": t for k, t in enumerate(tensors.values())})
    found = read_networks(tmp_path, NETWORK.layout, NETWORK.n_parameters)
    names = ["net1.npz", "net2.npy", "net3.npz", "net10.npz 0", "net10.npz 1"]
    assert [network.name for network in found] == names
    for network, k in zip(found, (0, 0, 0, 0, 1), strict=True):
        np.testing.assert_array_equal(network.theta, theta[k])


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (
            {"theta": np.ones(5)},
            r"net.npz: holds an array of shape \(1, 5\); .* have 13 parameters",
        ),
        ({"theta": np.full(13, np.nan)}, "no finite numbers"),
        ({"theta": np.array(["a"] * 13)}, "no finite numbers"),
        ({"a": np.ones((2, 3))}, r"tensor 'a' has shape \(2, 3\), and 'W0' .* has \(3, 2\)"),
        (
            {
                **dict(zip(NETWORK.layout.names, map(np.ones, NETWORK.layout.shapes), strict=True)),
                "W2": np.ones((1, 1)),
            },
            "holds 'W2' as well, which this task's network has not: it is of another one",
        ),
        ({"a": np.ones((3, 2))}, "holds 1 tensors, this task's network has 4: W0, b0, W1, b1"),
    ],
)
def test_other_files_are_refused(arrays, said, tmp_path):
    np.savez(tmp_path / "net.npz", **arrays)
    with pytest.raises(UserError, match=said):
        read_networks(tmp_path / "net.npz", NETWORK.layout, NETWORK.n_parameters)


def test_pickles_are_refused_with_the_way_out(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(UserError, match=r"wlnn\[torch\]|holds more than tensors"):
        read_networks(tmp_path / "net.pt", NETWORK.layout, NETWORK.n_parameters)


def test_the_command_places_files_and_trainings(tmp_path):
    run, trained = tmp_path / "run", tmp_path / "trained"
    shutil.copytree(RUNS / "wlmc", run)
    shutil.copytree(RUNS / "trained-cut", trained)
    from wlnn.runs.recipe import read_recipe

    task = read_recipe(run).task()
    theta = np.zeros(task.network.n_parameters)
    np.save(tmp_path / "zeros.npy", theta)
    x, y = task.problem().observe(theta)
    found = CliRunner().invoke(command, [str(run), str(tmp_path / "zeros.npy")])
    assert found.exit_code == 0, found.exception
    assert f"It lies at ln train loss = {x:.3f}, test accuracy = {y:.4g}" in found.output
    assert (run / "places.png").stat().st_size > 10_000
    (tmp_path / "zeros.npy").rename(run / "zeros.npy")
    several = CliRunner().invoke(command, [str(run), str(run / "zeros.npy"), str(trained)])
    assert several.exit_code == 0, several.exception
    assert "training 0" in several.output
    assert "trained: was trained on other data" in several.output  # 40 points, not 8
    np.save(tmp_path / "none.npy", np.zeros((0, theta.size)))
    none = CliRunner().invoke(command, [str(run), str(tmp_path / "none.npy")])
    assert "holds an array of shape (0, 12)" in str(none.exception)


def test_neither_joint_runs_nor_contradictory_ladders_place_a_network(tmp_path):
    joint, run = tmp_path / "joint", tmp_path / "run"
    joint.mkdir()
    made().save(joint / "landscape.npz")
    found = CliRunner().invoke(command, [str(joint), "net.npz"])
    assert "name one of its runs" in str(found.exception)
    shutil.copytree(RUNS / "wlmc", run)
    landscape = Landscape.load(run / "landscape.npz")
    landscape.meta["rungs"] = {"starts": {"agree": False}}
    landscape.save(run / "landscape.npz")
    found = CliRunner().invoke(command, [str(run), "net.npz"])
    assert "has no numbers to go on with" in str(found.exception)
