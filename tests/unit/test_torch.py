"""Modules of PyTorch turned into networks: the same functions, names, and sentences of refusal."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run

import wlnn
from wlnn.base.errors import UserError
from wlnn.canonical import columns
from wlnn.networks.fnn import FNN
from wlnn.networks.images import network_from
from wlnn.networks.layered import ListedNetwork
from wlnn.networks.losses import cross_entropy_back, squared_error_back
from wlnn.runs.parameters import read_networks

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'wlnn[torch]'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch_networks import NETWORKS, Block, LeNet, made  # noqa: E402

from wlnn.torch import (  # noqa: E402
    from_torch,
    read_state_dict,
    save_state_dict,
    state_dict_from_theta,
    theta_from_state_dict,
)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_those_of_pytorch(name):
    module, x = made(name)
    module.eval()
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    network = from_torch(module, x[:2])
    assert isinstance(network, FNN if NETWORKS[name][2] else ListedNetwork)
    assert set(network.layout.names) == set(before)
    assert network_from(network.describe()) == network
    outputs = module(x)
    labels = torch.arange(13) % max(2, outputs.shape[1])
    targets = torch.linspace(-1, 1, 13, dtype=torch.float64)[:, None]
    classify = outputs.shape[1] > 1
    (F.cross_entropy(outputs, labels) if classify else F.mse_loss(outputs, targets)).backward()
    theta = theta_from_state_dict(network, module.state_dict())
    found, tape = network.forward(np, theta[None], x.numpy())
    np.testing.assert_allclose(found[0], outputs.detach(), rtol=1e-9, atol=1e-12)
    back = cross_entropy_back if classify else squared_error_back
    gradient = network.backward(
        np, back(np, found, (labels if classify else targets).numpy()), tape
    )
    expected = {key: tensor.grad for key, tensor in module.named_parameters()}
    expected = theta_from_state_dict(network, expected)
    np.testing.assert_allclose(gradient[0], expected, atol=1e-9 * np.abs(expected).max())
    for key, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[key])


def test_parameters_there_and_back(tmp_path):
    module, x = made("ResNet with LayerNorm")
    network = from_torch(module, x)
    theta = theta_from_state_dict(network, module.state_dict())
    state = state_dict_from_theta(network, theta)
    assert list(state) == list(network.layout.names)
    other, _ = made("ResNet with LayerNorm")
    nn.init.zeros_(other.fc.weight)
    other.float().load_state_dict(state)
    np.testing.assert_allclose(other.double()(x).detach(), module(x).detach(), atol=1e-5)
    turned = dict(reversed(module.state_dict().items()))  # names count, not their order
    np.testing.assert_array_equal(theta_from_state_dict(network, turned), theta)
    plain = FNN((5, 8, 8, 3), "gelu")
    module, _ = made("MLP with GELU")
    state = state_dict_from_theta(plain, np.arange(147.0), like=module.state_dict())
    module.load_state_dict(state)
    np.testing.assert_array_equal(theta_from_state_dict(plain, module.state_dict()), np.arange(147))
    for call in (
        lambda: state_dict_from_theta(plain, np.zeros(3)),
        lambda: state_dict_from_theta(plain, np.zeros(147), like={"a": torch.zeros(2)}),
        lambda: theta_from_state_dict(network, module.state_dict()),
    ):
        with pytest.raises(UserError):
            call()


@pytest.mark.parametrize("suffix", ["pt", "pth", "ckpt", "npz"])
def test_files_of_trainings_are_read(suffix, tmp_path):
    module, x = made("LeNet")
    network = from_torch(module, x)
    path, state = tmp_path / f"net.{suffix}", module.state_dict()
    if suffix == "npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})
    elif suffix == "ckpt":  # as Lightning and training loops leave it
        state = {f"model.{name}": tensor for name, tensor in state.items()}
        torch.save({"epoch": 3, "state_dict": state}, path)
    else:
        save_state_dict(path, state)
    (found,) = read_networks(path, network.layout, network.n_parameters)
    np.testing.assert_array_equal(found.theta, theta_from_state_dict(network, module.state_dict()))
    assert read_state_dict(path).keys() == state.keys()


class Evil:
    """What a file must not be able to do: its reader would make a file of its own."""

    def __reduce__(self):
        return open, ("evil", "w")


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"w": Evil()}, "holds more than tensors"),
        ({"lr": 0.1}, "'lr' is no tensor but a float"),
        ([1, 2], "holds no tensors by name"),
        (None, "no file of PyTorch"),
    ],
)
def test_other_files_are_refused_and_nothing_in_them_runs(contents, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.pt"
    path.write_bytes(b"nothing") if contents is None else torch.save(contents, path)
    with pytest.raises(UserError, match=words) as told:
        read_state_dict(path)
    assert "net.pt" in str(told.value)
    assert not (tmp_path / "evil").exists()
    with pytest.raises(UserError, match="there is no such file"):
        read_state_dict(tmp_path / "other.pt")


class Doing(nn.Module):
    """One layer, and a forward pass that is given."""

    def __init__(self, what):
        super().__init__()
        self.what, self.fc, self.factor = what, nn.Linear(4, 4), nn.Parameter(torch.ones(4))
        self.one = nn.Linear(4, 1)

    def forward(self, x):
        return self.what(self, x)


IMAGES, ROWS = torch.randn(2, 3, 8, 8), torch.randn(2, 4)
REFUSED = [
    (nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2)), IMAGES, r"layer 1 \(BatchNorm2d\): its"),
    (nn.Sequential(nn.Linear(4, 2), nn.LogSoftmax(1)), ROWS, r"layer 1 \(LogSoftmax\): leave it"),
    (nn.Sequential(nn.Linear(4, 2), nn.ELU()), ROWS, r"layer 1 \(ELU\): this cannot be turned"),
    (nn.Sequential(nn.Conv2d(3, 6, 3, groups=3)), IMAGES, r"layer 0 \(Conv2d\): kernels must"),
    (nn.Sequential(nn.Conv2d(3, 6, (3, 1))), IMAGES, r"layer 0 \(Conv2d\): kernels must be sq"),
    (nn.Sequential(nn.MaxPool2d(3, 2)), IMAGES, r"layer 0 \(MaxPool2d\): windows must be square"),
    (nn.Sequential(nn.AdaptiveAvgPool2d(3)), IMAGES, r"layer 0 \(AdaptiveAvgPool2d\): images must"),
    (nn.Sequential(nn.LayerNorm([3, 8, 8])), IMAGES, r"layer 0 \(LayerNorm\): it must go over"),
    (nn.Sequential(nn.LayerNorm(4, eps=1e-6)), ROWS, r"layer 0 \(LayerNorm\): it must have eps"),
    (nn.Sequential(nn.Linear(8, 2)), IMAGES, r"layer 0 \(Linear\): it must read rows"),
    (nn.Sequential(nn.Linear(3, 2)), ROWS, r"Sequential: forward\(\) fails for inputs of shape"),
    (nn.Sequential(nn.Conv2d(3, 2, 3)), IMAGES, r"return one tensor \(N, K\)"),
    (Block(3, 4, 1), IMAGES, r"return one tensor \(N, K\)"),
    (LeNet(), ROWS, r"LeNet: forward\(\) fails"),
    (nn.Sequential(nn.Linear(4, 2)), torch.randn(3), "example_input: give rows"),
    (Doing(lambda s, x: torch.sin(s.fc(x))), ROWS, r"operation sin \(sin, line \d+ of test_torch"),
    (Doing(lambda s, x: s.fc(x) * s.factor), ROWS, r"operation factor .*outside of a layer"),
    (Doing(lambda s, x: s.fc(s.fc(x))), ROWS, r"layer fc \(Linear\): it is used twice"),
    (Doing(lambda s, x: s.fc(x) + 1), ROWS, r"operation add .*values of layers alone"),
    (Doing(lambda s, x: s.fc(x) if x.sum() > 0 else x), ROWS, r"forward\(\) cannot be traced"),
    (Doing(lambda s, x: s.fc(x)), ROWS, r"forward\(\) does not use: factor, one"),
    (Doing(lambda s, x: F.dropout(s.fc(x))), ROWS, "write training=self.training"),
    (Doing(lambda s, x: s.fc(input=x)), ROWS, r"layer fc \(Linear\): it must be given one value"),
    (nn.Linear(4, 2), ROWS, r"Linear: is a single layer of PyTorch; .* nn.Sequential\(Linear"),
    (nn.Sequential(nn.ReLU()), ROWS, "has no parameters, and so no networks"),
    (nn.Sequential(nn.LazyLinear(2)), ROWS, "parameter '0.weight': has no numbers yet"),
    (nn.Sequential(nn.Linear(4, 2, device="meta")), ROWS, "'0.weight': has no numbers yet"),
    (nn.Sequential(nn.Linear(4, 2, dtype=torch.cfloat)), ROWS, "'0.weight': is complex"),
    (nn.Sequential(nn.Linear(4, 0), nn.Linear(0, 2)), ROWS, r"layer 0 \(Linear\): a dense layer"),
    (Doing(lambda s, x: s.fc(x) + s.one(x)), ROWS, r"operation add .* cannot be added"),
    (None, ROWS, "a module of PyTorch is needed, not a NoneType"),
    (nn.Linear, ROWS, "a module of PyTorch is needed, not the class Linear itself"),
    (nn.Sequential(nn.Linear(4, 2)), "rows", "example_input: .* of numbers, not a str"),
    (nn.Sequential(nn.Linear(4, 2)), [[1, 2], [3]], "example_input: .* of numbers, not a list"),
    (nn.Sequential(nn.Linear(4, 2)), np.ones((2, 4), complex), "example_input: .* of real numb"),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(REFUSED)))
def test_what_cannot_be_turned_is_named(k):
    module, example, words = REFUSED[k]
    with pytest.raises(UserError, match=words) as told:
        from_torch(module, example)
    assert "\n" not in str(told.value)


class InPlace(nn.Module):
    """Changes a value that it reads again."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = self.a(x)
        return self.b(h.relu_() + h)


def test_other_outputs_are_noticed():
    with pytest.raises(UserError, match="InPlace: the turned network has other outputs"):
        from_torch(InPlace(), ROWS)


@pytest.mark.parametrize("number", [0.0, np.nan])
def test_other_outputs_are_noticed_whatever_the_parameters_are(number):
    """Of a last layer that begins at zero every network is right, and NaN is in no comparison."""
    module = InPlace()
    nn.init.constant_(module.b.weight, number)
    with pytest.raises(UserError, match="InPlace: the turned network has other outputs"):
        from_torch(module, ROWS)
    chain = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    nn.init.constant_(chain[2].weight, number)
    assert from_torch(chain, ROWS).n_parameters == 23


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16, torch.float64])
def test_modules_and_files_of_any_precision(precision, tmp_path):
    module = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).to(precision)
    network = from_torch(module, ROWS.to(precision).requires_grad_())
    theta = theta_from_state_dict(network, dict(module.named_parameters()))
    expected = torch.cat([tensor.detach().double().ravel() for tensor in module.parameters()])
    np.testing.assert_array_equal(theta, expected)
    torch.save(module.state_dict(), tmp_path / "net.pt")
    (placed,) = read_networks(tmp_path / "net.pt", network.layout, network.n_parameters)
    np.testing.assert_array_equal(placed.theta, theta)


def test_what_holds_no_tensors_by_name_is_refused():
    network = from_torch(nn.Sequential(nn.Linear(4, 2)), ROWS)
    for state, words in (
        ([1, 2], "state_dict: tensors by name are needed"),
        ({"0.weight": "a", "0.bias": 1}, "state_dict: '0.weight' is no tensor of real numbers"),
        ({"0.weight": torch.ones(2, 4, dtype=torch.cfloat)}, "no tensor of real numbers"),
        ({"0.weight": torch.ones(2, 4), "0.bias": torch.ones(2), "1.weight": torch.ones(1)},
         "holds '1.weight' as well"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            theta_from_state_dict(network, state)


def test_tied_weights_are_told():
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    module[1].weight = module[0].weight
    with pytest.raises(UserError, match="tied weights"):
        from_torch(module, ROWS)


def test_without_pytorch_one_sentence_says_so(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.startswith("wlnn.torch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match=r"pip install 'wlnn\[torch\]'"):
        read_networks(tmp_path / "net.pt", FNN((2, 2)).layout, 6)


@pytest.mark.slow
def test_the_page_about_networks_of_pytorch_runs(tmp_path, monkeypatch):
    """Its files as they are named there, and its commands between them."""
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "own-network.md").read_text(encoding="utf-8")
    files: dict[str, str] = {}
    for name, block in re.findall(r"```python\n# (\w+\.py)[^\n]*\n(.*?)```", text, flags=re.S):
        files[name] = files.get(name, "") + block
    assert [*files] == ["own.py", "train.py", "judge.py", "back.py"]
    for name, contents in files.items():
        (tmp_path / name).write_text(contents, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def python(name):
        return subprocess.run(
            [sys.executable, name], check=True, env=environment, text=True, stdout=subprocess.PIPE
        ).stdout

    commands = re.findall(r"^wlnn (.* runs/saddle.*)", text, re.MULTILINE)
    sample, place, advantage = (shlex.split(line, comments=True) for line in commands)
    done = run(*sample)
    assert done.status == 0, done.err
    assert "no compiled form" not in done.err
    python("train.py")
    placed = run(*place)
    assert placed.status == 0, placed.err
    lines = [line.split() for line in placed.out.splitlines() if line.startswith("0")]
    assert len(lines) == 10
    assert float(lines[-1][1]) < float(lines[0][1])  # ln(train loss) falls along the path
    judged = run(*advantage)
    assert judged.status == 0, judged.err
    assert "6 trainings of 60 epochs, history logs/*.csv; ± is one standard error" in judged.out
    assert "where training ends, mean ln L" in judged.out
    assert Path("runs/saddle/advantage.png").exists()
    told = python("judge.py").splitlines()
    assert len(told) > 10
    assert all("test accuracy: equilibrium 0." in line for line in told)
    python("back.py")


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_turned_networks_are_sampled(name):
    """A short run of each: Monte Carlo of dense ones, Langevin dynamics of the others."""
    module, x = made(name)
    network = from_torch(module, x[:2])
    outputs = module(x).shape[1]
    reals = outputs == 1
    targets = np.linspace(-1, 1, 13) if reals else np.arange(13) % outputs
    data = wlnn.Dataset(x.numpy(), targets, x.numpy(), targets)
    grid = wlnn.Grid(wlnn.Axis("ln train loss", -6, 6, 12), wlnn.Axis("ln test loss", -6, 6, 12))
    loss = "squared-error" if reals else "cross-entropy"
    task = wlnn.Task("turned", data, network, grid, y="ln-test-loss", loss=loss)
    options = {"steps": 20_000, "walkers": 2, "progress": False, "threads": 1}
    if isinstance(network, FNN):
        found = wlnn.run(task, "wlmc", "quick", **options)
        assert found.visits.sum() == 40_000
        return
    found = wlnn.run(task, "md", "quick", temperature=1.0, dt=1e-4, **options)
    assert found.records.shape[1] == 100
    assert np.isfinite(found.records).all()
    kinetic = found.records[:, 50:, columns.KINETIC].mean()  # in units of T
    assert 0.5 < kinetic < 2
