"""The benchmarks of graphics cards, on the CPU: what peers compute, and what rows say.

No time is judged.
"""

import importlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import fake_cupy
import numpy as np
import pytest

from wlnn.backend.device import device_of
from wlnn.settings.ladder import LadderSettings
from wlnn.tasks.field import field_on

PEERS = {
    "wlnn": "own",
    "PyTorch eager, one by one": "one_by_one",
    "PyTorch eager, one batch": "one_batch",
    "torch.compile, one batch": "compiled",
    "JAX, jit of vmap": "jax_batch",
}
GRAPHS = ["PyTorch CUDA graph, one batch", "PyTorch CUDA graph, one batch, TF32"]


@pytest.fixture
def benchmarks(monkeypatch):
    """What imports one of them."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module


def made(case, make):
    """A peer of a case on the CPU; the test is skipped where it cannot run."""
    try:
        return make(case, None)
    except RuntimeError as reason:
        if "is not installed" in str(reason):
            pytest.skip(str(reason))
        raise


def test_every_peer_is_tested_here(benchmarks):
    assert set(benchmarks("peers.force_peers").PEERS) == {*PEERS, *GRAPHS}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if "compile" in n else ()) for n in PEERS]
)
def test_a_peer_computes_losses_and_gradients_of_numpy(name, benchmarks):
    """Three networks, each with weights of its own; and its row has times."""
    if name.startswith("torch.compile") and not (shutil.which("c++") or shutil.which("g++")):
        pytest.skip("there is no C++ compiler here, which torch.compile needs")
    case, program = benchmarks("peers.force_case").case_of(20, 3, 30), benchmarks("gpu_peers")
    make = getattr(benchmarks("peers.force_peers"), PEERS[name])
    x, y, gradient = (np.asarray(part) for part in made(case, make).host(made(case, make).step()))
    value_x, value_y, _, tape = case.problem.evaluate(np, case.theta)
    np.testing.assert_allclose(x, value_x, atol=1e-5)
    np.testing.assert_allclose(y, value_y, atol=1e-5)
    right = case.problem.backward(np, tape, *case.weights)
    for mine, its in zip(right, gradient, strict=True):
        assert np.abs(its - mine).max() < 1e-5 * np.abs(mine).max()
    row = program.measured(program.PEERS[name], case, None, 0.01)
    assert "reason" not in row
    assert 0 < row["p10"] <= row["us_per_walker"] <= row["p90"]
    assert max(row["loss_differs"], row["gradient_differs"]) <= 1e-5


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_needs_a_device(name, benchmarks):
    case, program = benchmarks("peers.force_case").case_of(4, 2, 5), benchmarks("gpu_peers")
    row = program.measured(program.PEERS[name], case, None, 0.01)
    if "is not installed" in row["reason"]:
        pytest.skip(row["reason"])
    assert row == {"reason": "a CUDA graph needs a CUDA device"}


def later(right, wrong, calls):
    """Wrong from the second call on."""
    calls.append(0)
    return right if len(calls) == 1 else wrong


WRONG = {
    "gradient times 2": lambda x, y, g, _: (x, y, 2 * g),
    "gradient a bit too long": lambda x, y, g, _: (x, y, g * (1 + 3e-5)),
    "two gradients exchanged": lambda x, y, g, _: (x, y, g[[1, 0, 2]]),
    "gradient of one network": lambda x, y, g, _: (x, y, g[0] + 0 * g),
    "one number missing": lambda x, y, g, _: (x, y, g[:, 1:]),
    "no number": lambda x, y, g, _: (x, y, np.nan * g),
    "train loss": lambda x, y, g, _: (x + 3e-5, y, g),
    "test loss": lambda x, y, g, _: (x, y - 3e-5, g),
    "losses exchanged": lambda x, y, g, _: (y, x, g),
    "at the second call": lambda x, y, g, calls: later((x, y, g), (x, y, 0 * g), calls),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_peer_is_told_and_gets_no_time(name, benchmarks):
    case, program = benchmarks("peers.force_case").case_of(20, 3, 30), benchmarks("gpu_peers")
    calls = []

    def make(case, device):
        peer = benchmarks("peers.force_peers").own(case, device)
        return peer._replace(host=lambda found: WRONG[name](*peer.host(found), calls))

    row = program.measured(make, case, None, 0.01)
    assert row["reason"].startswith("not what is to be computed: loss differs by ")
    assert "us_per_walker" not in row


def test_a_wrong_peer_of_pytorch_is_told(benchmarks):
    """By its own numbers: a ReLU that is left out, a gradient times 2."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    case, program = benchmarks("peers.force_case").case_of(20, 3, 30), benchmarks("gpu_peers")
    one_batch = benchmarks("peers.force_peers").one_batch

    def doubled(case, device):
        peer = one_batch(case, device)

        def step():
            x, y, parts = peer.step()
            return x, y, [2 * part for part in parts]

        return peer._replace(step=step)

    row = program.measured(doubled, case, None, 0.01)
    assert "gradient by 1.0e+00 of it; no time" in row["reason"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "relu", lambda h: h)
        assert "no time" in program.measured(one_batch, case, None, 0.01)["reason"]


def test_no_sum_before_a_relu_is_rounded_or_zero(benchmarks):
    """At the largest width, in single precision, whatever the order."""
    case, rng = benchmarks("peers.force_case").case_of(1000, 1), np.random.default_rng(0)
    h = np.concatenate([case.data[0], case.data[2]])
    for W, b in (case.layers[:2], case.layers[2:4]):
        order = rng.permutation(W.shape[2])
        z = h @ W[0].astype(float).T + b[0]
        single = h[:, order].astype(np.float32) @ W[0][:, order].T + b[0]
        assert single.dtype == np.float32
        np.testing.assert_array_equal(single, z)
        assert z.all()
        assert 0.2 < (z > 0).mean() < 0.8
        h = np.maximum(z, 0)


@pytest.mark.parametrize(
    ("name", "library", "sentence"),
    [
        ("PyTorch eager, one by one", "torch", "PyTorch is not installed: pip install torch"),
        (GRAPHS[0], "torch", "PyTorch is not installed: pip install torch"),
        ("JAX, jit of vmap", "jax", "JAX is not installed: pip install 'jax[cuda13]'"),
    ],
)
def test_what_is_not_installed_is_a_sentence(name, library, sentence, benchmarks, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    case, program = benchmarks("peers.force_case").case_of(4, 2, 5), benchmarks("gpu_peers")
    assert program.measured(program.PEERS[name], case, None, 0.01) == {"reason": sentence}


def test_a_pytorch_without_cuda_is_a_sentence(benchmarks, monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    case, program = benchmarks("peers.force_case").case_of(4, 2, 5), benchmarks("gpu_peers")
    for name in (GRAPHS[0], "PyTorch eager, one batch"):
        row = program.measured(program.PEERS[name], case, SimpleNamespace(name="cuda:0"), 0.01)
        assert row == {"reason": f"this PyTorch ({torch.__version__}) finds no CUDA device"}


def test_what_fails_or_takes_too_long_is_a_sentence(benchmarks):
    case, program = benchmarks("peers.force_case").case_of(4, 2, 5), benchmarks("gpu_peers")

    def failing(case, device):
        raise ValueError("no such\n  compiler")

    row = program.measured(failing, case, None, 0.01)
    assert row == {"reason": "failed with ValueError: no such compiler"}
    began = time.monotonic()
    row = program.measured(lambda *_: time.sleep(20), case, None, 0.01, limit=0.1)
    assert row == {"reason": "not ready within 0.1 s"}
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("ends", "sentence"),
    [(subprocess.TimeoutExpired("", 1), "did not come back in time"), (-11, "with status -11")],
)
def test_a_process_of_peers_that_breaks_is_a_row(ends, sentence, benchmarks, monkeypatch):
    program, rows = benchmarks("gpu"), []

    def run(words, timeout, check):
        assert words[2:] == ["--budget=5.0", "--cpu", "--seconds=0.5", "--only=W = 30"]
        assert timeout == 65
        if isinstance(ends, Exception):
            raise ends
        return SimpleNamespace(returncode=ends)

    monkeypatch.setattr(program.subprocess, "run", run)
    given = SimpleNamespace(peers=5.0, cpu=True, seconds=4.0, out=None, only="W = 30")
    program.peers(given, lambda **row: rows.append(row))
    assert sentence in rows[0]["reason"]


def test_the_row_of_the_ladders(benchmarks, monkeypatch):
    """On the stand-in: all replicas of four ladders, in one batch."""
    fake_cupy.install(monkeypatch)
    program = benchmarks("gpu")
    problem = program.spiral_of_ladders(5)
    field = field_on(problem, device_of("cuda"), 8)
    settings, sizes = LadderSettings(stretch=10, sample_every=10), []
    evaluate = field.evaluate
    field = field._replace(evaluate=lambda xp, t: sizes.append(len(t)) or evaluate(xp, t))
    row = program.ladder_row(problem, field, 0.01, 3, settings)
    assert (row["ladders"], row["replicas"]) == (4, 8)
    assert row["s_for_5e6_forces"] == pytest.approx(5 * row["us_per_replica_step"])
    rounds, rest = divmod(sizes.count(8), 11)  # steps, and where they begin
    assert rest == 0
    assert rounds >= 4
    assert sizes.count(1) == 4 * rounds  # draws
    assert fake_cupy.counts["launches"] > 100


def test_a_replica_that_moves_twice_is_no_time(benchmarks):
    """It was lost, and made its steps again: the row would count them once."""
    program = benchmarks("gpu")
    problem, settings = program.spiral_of_ladders(5), LadderSettings(stretch=10, sample_every=10)
    from wlnn.tasks.field import field_of

    field = field_of(problem)
    run, calls = program.ladders(problem, field, 3, settings), []
    assert run() == 4 * 2 * 10

    def hot(xp, tape, ux, uy):
        calls.append(0)
        return field.backward(xp, tape, ux, uy) * (1e9 if len(calls) == 3 else 1)

    run = program.ladders(problem, field._replace(backward=hot), 3, settings)
    with pytest.raises(RuntimeError, match="160 forces in the place of 80: a replica was lost"):
        run()


def test_no_rung_is_added_while_ladders_are_timed(benchmarks):
    program = benchmarks("gpu")
    from wlnn.tasks.field import field_of

    problem, settings = program.spiral_of_ladders(5), LadderSettings(stretch=10, sample_every=10)
    run = program.ladders(problem, field_of(problem), 3, settings)
    assert {run() for _ in range(130)} == {80}
