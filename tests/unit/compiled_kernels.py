"""Kernels compiled for the CPU: their texts as plain loops over blocks and threads.

The simulator runs kernels in Python, which has other types than compiled code; here Numba's are at
work, as in a kernel, and fast enough for exact cases. Threads of a block go one after another, so
kernels with barriers have one thread a block: how threads share work is for the simulator to judge.
"""

import sys
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import mock

import numpy as np
from numba import njit

from wlnn.backend import noise_kernel
from wlnn.backend.device import Host
from wlnn.backend.noise import Philox
from wlnn.canonical import kernels as canonical
from wlnn.wlmd import kernels as wlmd

NAMES = {  # what a kernel asks for, as an argument
    "cuda.grid(1)": "(_bx * _dim + _tx)", "cuda.blockIdx.x": "_bx", "cuda.blockIdx.y": "_by",
    "cuda.threadIdx.x": "_tx", "cuda.blockDim.x": "_dim", "cuda.shared.array(": "np.empty(",
    "cuda.syncthreads()": "pass", "@cuda.jit(device=True)": "@njit",
    "lane = cuda.threadIdx.x\n": "lane = 0\n", "LANES = 128": "LANES = 1",
}  # fmt: skip


@njit
def _run(kernel, wide, high, threads, *args):
    for bx in range(wide):
        for by in range(high):
            for tx in range(threads):
                kernel(bx, by, tx, threads, *args)


class Loop:
    """A kernel, launched as on a device: ``kernel[blocks, threads](...)``."""

    def __init__(self, function, barriers: bool):
        self.run, self.barriers = njit(function), barriers

    def __getitem__(self, shape):
        blocks, threads, *_ = shape
        wide, high = blocks if isinstance(blocks, tuple) else (blocks, 1)

        def launch(*args):
            _run(self.run, wide, high, 1 if self.barriers else threads, *args)

        return launch


def compiled(module: ModuleType, old: str = "", new: str = "", **loaded) -> ModuleType:
    """The kernels of a file for the CPU, with one change; ``loaded`` are files that it imports."""
    text = Path(module.__file__).read_text(encoding="utf-8")
    assert not old or text.count(old) == 1, (
        f"{module.__name__} holds {text.count(old)} times: {old}"
    )
    text = text.replace(old, new) if old else text
    head, *parts = text.split("@cuda.jit\ndef ")
    for part in parts:
        name, _, rest = part.partition("(")
        own = rest.partition("\n\n\n")[0]  # of the kernel itself
        barriers = "syncthreads" in own or "temperature(" in own
        head += f"@partial(Loop, barriers={barriers})\ndef {name}(_bx, _by, _tx, _dim, {rest}"
    for name in sorted(NAMES, key=len, reverse=True):
        head = head.replace(name, NAMES[name])
    copy = ModuleType(f"{module.__name__}_on_cpu")
    vars(copy).update(Loop=Loop, partial=partial, np=np, njit=njit)
    files = {f"wlnn.{name}.kernels": file for name, file in loaded.items()}
    with mock.patch.dict(sys.modules, files):
        exec(compile(head, f"<{module.__name__} on the CPU>", "exec"), vars(copy))
    return copy


class Launches:
    """What launches them, on arrays of NumPy."""

    def view(self, array):
        return array

    def __call__(self, kernel, blocks, threads, *args):
        kernel[blocks, threads](*args)


class HostOfKernels(Host):
    """NumPy with kernels and the noise of a device."""

    kernels = Launches()

    def noise(self, rngs, walkers):
        if len(rngs) == 1:
            return [Philox(np, rngs[0].integers(0, 2**32, (walkers, 2), np.uint64))]
        return [Philox(np, np.stack([rng.integers(0, 2**32, 2, np.uint64) for rng in rngs]))]


def all_kernels() -> SimpleNamespace:
    """All three files of them."""
    moves = compiled(wlmd)
    return SimpleNamespace(
        noise=compiled(noise_kernel), wlmd=moves, canonical=compiled(canonical, wlmd=moves)
    )
