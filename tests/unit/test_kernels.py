"""Kernels for graphics cards, without a card: in Numba's simulator against their twins, compiled
for five kinds of cards, and every reason for which there are none.
"""

import inspect
import json
import os
import shutil
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path
from types import SimpleNamespace

import fake_cupy
import kernel_mutants
import pytest
from command_line import run
from kernel_twins import CHECKS

from wlnn.backend import launch
from wlnn.backend.device import DeviceError, device_of
from wlnn.canonical import langevin
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.field import field_of, field_on
from wlnn.tasks.smooth import NetworkVariables
from wlnn.wlmd import walk as wlmd

HERE = Path(__file__).parent
CARDS = ((7, 5), (8, 0), (9, 0), (10, 0), (12, 0))
KERNELS = ("feel", "move", "record", "leave_hills", "feel_loss", "average", "draw")
needs_numba_cuda = pytest.mark.skipif(
    util.find_spec("numba_cuda") is None,
    reason="numba-cuda is not installed, which has the simulator: pip install numba-cuda",
)


def program(name, *words):
    """What a program beside this file prints; it runs with Numba's settings of its own."""
    found = subprocess.run(
        [sys.executable, HERE / name, *words], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def on_cpu():
    from compiled_kernels import all_kernels

    return all_kernels()


@pytest.fixture(scope="module")
def simulated():
    return program("simulated.py", "fast")


@needs_numba_cuda
@pytest.mark.parametrize("name", CHECKS)
def test_a_kernel_computes_what_the_text_does(name, simulated):
    """In both orders of threads."""
    assert not simulated[name]


WALKS = ("a_round", "a_stretch_of_a_ladder", "a_stretch_at_a_temperature")


@needs_numba_cuda
@pytest.mark.parametrize("network", ["small", "classifier"])
@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_by_kernels_is_that_of_numpy(walk, network, simulated):
    """On a strict stand-in for CuPy, with a walker that is lost."""
    assert not simulated[f"{network}: {walk}"]


# Launches of one step of three walkers, on which the thermostat acts: while they learn S, in a
# frozen potential, and at a temperature. All but four or three are those of the network.
LAUNCHES = {"small": (62, 61, 61), "classifier": (166, 165, 165), "cnn": (378, 377, 377)}


@needs_numba_cuda
@pytest.mark.parametrize("network", LAUNCHES)
def test_a_step_is_few_launches_and_waits_for_nothing(network, simulated):
    """One upload is that of the hills of a round, before its first step."""
    costs = simulated[f"{network}: costs"]
    for cost, most, uploads in zip(costs, LAUNCHES[network], (1, 1, 0), strict=True):
        assert cost["launches"] <= most
        assert (cost["waits"], cost["uploads"]) == (0, uploads)


@pytest.mark.parametrize(
    "name",
    ["noise", *(pytest.param(name, marks=pytest.mark.slow) for name in CHECKS if name != "noise")],
)
def test_a_compiled_kernel_computes_what_the_text_does(name, on_cpu):
    """Compiled for the CPU: the types are those of a device, where the simulator has Python's."""
    CHECKS[name](on_cpu)


@pytest.fixture(scope="module")
def broken():
    return program("simulated.py", "mutants")


@pytest.mark.slow
@needs_numba_cuda
@pytest.mark.parametrize("name", kernel_mutants.KERNELS | kernel_mutants.WALKS)
def test_a_broken_kernel_is_caught(name, broken):
    assert broken[name]


@pytest.fixture(scope="module")
def assembled(tmp_path_factory):
    """Assembly of every kernel for every kind of card, as files; made once, some seconds."""
    folder = tmp_path_factory.mktemp("assembly")
    found = program("assemble.py", folder)
    if "missing" in found:
        pytest.skip(
            f"CUDA's compiler is not installed: pip install 'numba-cuda[cu13]' ({found['missing']})"
        )
    return folder, found


@pytest.mark.slow
@needs_numba_cuda
@pytest.mark.parametrize("card", CARDS, ids=lambda card: "sm_{}{}".format(*card))
def test_kernels_compile_for_cards(card, assembled):
    folder, said = assembled
    for kernel in KERNELS:
        name = "{}_{}{}".format(kernel, *card)
        assert said[name] == ""
        assert f".target sm_{card[0]}{card[1]}" in (folder / f"{name}.ptx").read_text("utf-8")


def assembler():
    """The assembler of CUDA: of the package nvidia-cuda-nvcc, or that of the machine."""
    for place in map(Path, sys.path):
        for found in place.glob("nvidia/cu*/bin/ptxas"):
            return str(found)
    return shutil.which("ptxas")


@pytest.mark.slow
@needs_numba_cuda
@pytest.mark.parametrize("card", CARDS, ids=lambda card: "sm_{}{}".format(*card))
def test_kernels_fit_into_registers(card, assembled):
    """None is put aside in memory for want of registers."""
    if assembler() is None:
        pytest.skip("there is no ptxas: pip install nvidia-cuda-nvcc")
    folder, target = assembled[0], "sm_{}{}".format(*card)
    for kernel in KERNELS:
        text = folder / f"{kernel}_{target[3:]}.ptx"
        found = subprocess.run(
            [assembler(), f"-arch={target}", "-v", text, "-o", os.devnull],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if "Unsupported .version" in found.stderr:
            pytest.skip("ptxas is older than NVVM: pip install nvidia-cuda-nvcc")
        assert found.returncode == 0, found.stderr
        assert "0 bytes spill stores, 0 bytes spill loads" in found.stderr


def test_a_kernel_that_fails_on_its_way_is_one_sentence():
    """Those that were not tried at the beginning are compiled at the first step."""

    class Kernel:
        __name__ = "feel"

        def __getitem__(self, where):
            def start(*_):
                raise RuntimeError("ptxas: too many\n resources requested.")

            return start

    stream = SimpleNamespace(ptr=0)
    cupy = SimpleNamespace(cuda=SimpleNamespace(get_current_stream=lambda: stream))
    cuda = SimpleNamespace(legacy_default_stream=lambda: None)
    with pytest.raises(DeviceError) as told:
        launch.Launcher(cuda, cupy, "0.30", DeviceError)(Kernel(), 1, 128)
    assert str(told.value) == (
        "the kernel feel does not run on this device (RuntimeError: ptxas: too many resources "
        "requested); uninstall numba-cuda to go on without kernels."
    )


def lacking(monkeypatch, version):
    """numba-cuda of that version, or none."""
    real = metadata.version

    def found(name):
        if name != "numba-cuda":
            return real(name)
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", found)


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (None, "numba-cuda is not installed: install the extra cuda12 or cuda13 of wlnn"),
        ("0.4.0", "numba-cuda 0.4.0 is older than 0.30: install the extra"),
        ("0.30.4", "numba-cuda 0.30.4 runs no kernel here ("),
    ],
)
def test_why_there_are_no_kernels_is_told(version, sentence, monkeypatch):
    """By `wlnn devices`, and before a run; it goes on by the text."""
    fake_cupy.install(monkeypatch)
    lacking(monkeypatch, version)
    device = device_of("cuda")
    assert device.kernels is None
    assert device.no_kernels.startswith(sentence)
    assert f"kernels: none, {sentence}" in run("devices").out
    problem = NetworkVariables(load_task("spiral-regress", width=4, points=6, seed=0)).problem()
    field = field_on(problem, "cuda")
    (note,) = field.pace(problem, 64, 10**9)
    assert note.startswith(f"without kernels a step takes longer there: {sentence}")
    assert wlmd.walk_on(field) is wlmd.walk_numpy
    assert langevin.walk_on(field) is langevin.walk_numpy


def test_kernels_that_run_are_told(monkeypatch):
    """And can be left out."""
    fake_cupy.install(monkeypatch)
    monkeypatch.setattr(launch, "launcher", lambda *_: SimpleNamespace(about="numba-cuda 0.30.4"))
    device = device_of("cuda")
    assert device.about == "cuda:0 (Fake H1, CuPy 14.2.0, numba-cuda 0.30.4)"
    assert "kernels: numba-cuda 0.30.4" in run("devices").out
    problem = NetworkVariables(load_task("spiral-regress", width=4, points=6, seed=0)).problem()
    field = field_of(problem, device)
    assert field.pace(problem, 64, 10**9) == ()
    plain = device.plain()
    assert plain.about == "cuda:0 (Fake H1, CuPy 14.2.0)"
    assert (plain.kernels, plain.no_kernels) == (None, "")
    assert wlmd.walk_on(field._replace(device=plain)) is wlmd.walk_numpy


def test_kernels_that_compute_wrong_numbers_are_left_out(monkeypatch):
    fake_cupy.install(monkeypatch)
    lacking(monkeypatch, "0.30.4")
    monkeypatch.setattr(launch, "_tried", lambda _: float("nan"))
    monkeypatch.setitem(sys.modules, "numba.cuda.core", SimpleNamespace(config=SimpleNamespace()))
    said = "numba-cuda 0.30.4 computes wrong numbers here: they are nan off"
    assert device_of("cuda").no_kernels == said


def test_a_launch_is_in_the_stream_of_cupy_and_waits_for_nothing():
    """Names and keywords are those of numba-cuda where it is installed, which needs no card."""
    done, pointer = [], [0]
    cuda = SimpleNamespace(
        as_cuda_array=lambda array, sync: done.append(("view", array, sync)) or "view",
        external_stream=lambda found: f"stream {found}",
        legacy_default_stream=lambda: "default stream",
    )
    stream = SimpleNamespace(get_current_stream=lambda: SimpleNamespace(ptr=pointer[0]))
    start = launch.Launcher(cuda, SimpleNamespace(cuda=stream), "0.30.4")

    class Kernel:
        def __getitem__(self, how):
            return lambda *args: done.append((how, args))

    start(Kernel(), (3, 2), 128, start.view("array"), 7)
    pointer[0] = 5
    start(Kernel(), 3, 64, start.view(None))
    assert done == [
        ("view", "array", False),
        (((3, 2), 128, "default stream"), ("view", 7)),
        ((3, 64, "stream 5"), (None,)),
    ]
    if util.find_spec("numba_cuda"):
        from numba import cuda as real

        for name in vars(cuda):
            assert callable(getattr(real, name))
        assert "sync" in inspect.signature(real.as_cuda_array).parameters
