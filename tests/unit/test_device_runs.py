"""Whole runs on a device, a strict stand-in for CuPy: begun there and finished on the CPU, and the
other way round; and every reason for which there is no device, in one sentence.
"""

import sys
from dataclasses import replace

import fake_cupy
import numpy as np
import pytest
from command_line import run
from resumed import KINDS, MD, TRAIN, WLMD, begin, end, md, small_problem, wlmd

import wlnn
from wlnn.backend.device import DeviceError, device_of
from wlnn.base.errors import UserError
from wlnn.canonical.run import simulate
from wlnn.canonical.search import search
from wlnn.networks.fnn import FNN
from wlnn.settings.tables import SeekSettings, Settings
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.field import field_on
from wlnn.tasks.smooth import NetworkVariables
from wlnn.training.run import train_many
from wlnn.wlmd import run as wlmd_run

SEEK = Settings(
    seek=SeekSettings(evaluations=200, runs=2, stretch=5, low=0.02, high=0.2, replicas=2), md=MD
)


@pytest.fixture(scope="module")
def problem():
    return small_problem()


def seek(problem, folder, device, report=None):
    return search(problem, SEEK, "tempering", folder, report=report, device=device)


CASES = [(kind, first) for kind in KINDS for first in ("cuda", "cpu")]
CASES[-1] = pytest.param(*CASES[-1], marks=pytest.mark.slow)


@pytest.mark.parametrize(("kind", "first"), CASES)
def test_what_one_device_began_another_one_ends(kind, first, problem, tmp_path, monkeypatch):
    """Stopped half way, its checkpoint goes on elsewhere; both are in run.json."""
    fake_cupy.install(monkeypatch)
    folder = tmp_path / "run"
    begin(kind, problem, folder, first, monkeypatch)
    before = fake_cupy.counts["launches"]
    assert (before > 100) == (first == "cuda")
    other = {"cuda": "cpu", "cpu": "cuda"}[first]
    end(kind, problem, folder, other)
    assert (fake_cupy.counts["launches"] > before) == (other == "cuda")
    assert "cuda:0 (Fake H1, CuPy" in (folder / "run.json").read_text()


def test_a_search_on_a_device(problem, monkeypatch):
    fake_cupy.install(monkeypatch)
    there, again = (seek(problem, None, "cuda") for _ in range(2))
    np.testing.assert_array_equal(there.x, again.x)
    assert fake_cupy.counts["launches"] > 500
    here = seek(problem, None, None)
    assert np.isfinite(there.x).all()
    assert here.x.shape == there.x.shape
    np.testing.assert_allclose(here.x[:, 0], there.x[:, 0], atol=1e-5)  # other noise from then on


def test_one_command_on_a_device(monkeypatch, tmp_path):
    fake_cupy.install(monkeypatch)
    words = "train --task spiral-regress --width 4 --points 6 --runs 3 --epochs 3"
    words = words.split(" ")
    found = run(*words, "--out", tmp_path / "run", "--device", "cuda:0")
    assert found.status == 0, found.err
    assert "on cuda:0" in found.err
    assert fake_cupy.counts["launches"] > 100


def test_few_walkers_are_told_that_many_cost_little(problem, monkeypatch):
    fake_cupy.install(monkeypatch)
    for kind in (md, wlmd):
        notes = []
        kind(problem, None, "cuda", lambda report, notes=notes: notes.extend(report.notes))
        assert any("3 walkers move at a time on cuda:0" in note for note in notes)
        assert not any("NumPy" in note for note in notes)
    (note,) = field_on(problem, "cuda").pace(problem, 64, 10**9)
    assert note.startswith("without kernels a step takes longer there: numba-cuda ")


def test_one_call_on_a_device(monkeypatch):
    fake_cupy.install(monkeypatch)
    small = {"width": 4, "points": 6, "progress": False, "device": "cuda"}
    found = wlnn.run("spiral-regress", "train", runs=2, epochs=2, **small)
    assert np.isfinite(found.records["ln-train-loss"]).all()
    assert fake_cupy.counts["launches"] > 100
    with pytest.raises(UserError, match="Monte Carlo changes one parameter at a time"):
        wlnn.run("spiral-classify", "wlmc", steps=1000, **small)


def told(*words):
    """The sentence of a command that is refused; the last line, after what it was to do."""
    found = run(*words)
    assert found.status == 2
    assert not found.out
    assert "Traceback" not in found.err
    return found.err.splitlines()[-1]


SAMPLE = ("sample", "--task", "spiral-regress", "--sampler", "wlmd", "--device")


def test_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert "CuPy is not installed, which cuda needs: pip install" in told(*SAMPLE, "cuda")
    found = run("devices")
    assert found.status == 0
    assert "wlnn[cuda12]" in found.out


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"devices": 0}, "there is no CUDA device here"),
        ({"driver": 0}, "or no driver for it"),
        ({"error": "cudaErrorNoDevice: no CUDA-capable device"}, "no CUDA-capable device"),
        ({"driver": 11040, "toolkit": 12090}, "knows CUDA 11.4, CuPy needs 12.0"),
        ({"driver": 12020, "toolkit": 13000}, "knows CUDA 12.2, CuPy needs 13.0"),
    ],
)
def test_without_a_device(how, sentence, monkeypatch):
    fake_cupy.install(monkeypatch, **how)
    assert sentence in told(*SAMPLE, "cuda")
    found = run("devices")
    assert found.status == 0
    assert sentence in found.out
    assert found.out.startswith("cpu")


def test_a_device_that_computes_nothing(monkeypatch):
    fake = fake_cupy.install(monkeypatch)

    def failing(*_):
        raise RuntimeError("CuPy failed to load libnvrtc.so.13: no such file.")

    monkeypatch.setattr(fake, "matmul", failing)
    sentence = "cuda:0 is there but computes nothing (RuntimeError: CuPy failed to load libnvrtc"
    assert sentence in told(*SAMPLE, "cuda")
    assert sentence in run("devices").out
    monkeypatch.setattr(fake, "matmul", lambda a, b: a)
    assert "16 + 8 is 16 there" in told(*SAMPLE, "cuda")


def test_a_device_that_is_not_there(monkeypatch):
    fake_cupy.install(monkeypatch, devices=2)
    assert "no device cuda:2 here; use cuda:0, cuda:1 or cpu" in told(*SAMPLE, "cuda:2")
    assert "device 'gpu' is unknown" in told(*SAMPLE, "gpu")
    assert "--on and --device exclude each other" in told(*SAMPLE, "cuda", "--on", "processes:2")
    found = run("devices")
    assert found.out.count("Fake H1") == 2
    assert "its speed is unmeasured so far" in found.out
    assert "are not captured in a CUDA graph, which is not built" in found.out
    assert found.status == 0


def test_too_little_memory_is_told_before(problem, monkeypatch):
    fake_cupy.install(monkeypatch, free=2**20)
    most = field_on(problem, "cuda").most
    assert 10 < most < 10_000
    assert field_on(problem, "cuda", most).most == most
    with pytest.raises(DeviceError, match=f"and {most + 1} walkers of .* GB: {most} would fit"):
        field_on(problem, "cuda", most + 1)
    with pytest.raises(DeviceError, match="0 would fit"):
        wlmd_run.sample(problem, replace(WLMD, spacing=0.02), device="cuda")  # a table each
    fake_cupy.pool.limit = 2**10
    with pytest.raises(DeviceError, match="has no room for 1 of walkers"):
        field_on(problem, "cuda")


def test_what_moves_without_a_gradient_stays_on_the_cpu(monkeypatch, tmp_path):
    fake_cupy.install(monkeypatch)
    monte_carlo = ("sample", "--task", "spiral-classify", "--quick", "--out", tmp_path / "run")
    assert "runs on the CPU alone" in told(*monte_carlo, "--device", "cuda")
    said = told(*monte_carlo, "--sampler", "ladder", "--device", "cuda")
    assert "has no gradient, and what moves without one runs on the CPU alone" in said


class HostNetwork(FNN):
    """A network of somebody's own that knows NumPy alone."""

    def forward(self, xp, theta, x):
        outputs, tape = super().forward(xp, theta, x)
        return np.tanh(outputs), tape


def test_a_network_that_knows_numpy_alone(problem, monkeypatch):
    fake_cupy.install(monkeypatch)
    task = load_task("spiral-regress", width=4, points=6, seed=0)
    own = replace(task, network=HostNetwork((2, 4, 1)))
    with pytest.raises(DeviceError, match=r"on cuda:0 a function failed with TypeError \("):
        simulate(NetworkVariables(own).problem(), MD, device="cuda")
    with pytest.raises(DeviceError, match="failed with TypeError"):
        train_many(own, TRAIN, device="cuda")
    with pytest.raises(UserError, match="has no 'elsewhere'"):
        simulate(replace(problem, elsewhere=None), MD, device="cuda")


def test_the_cpu_is_what_is_used_if_nothing_is_said():
    assert device_of(None) is device_of("cpu")
    assert device_of(None).xp is np
