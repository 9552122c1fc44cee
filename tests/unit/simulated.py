"""Kernels without a device: Numba's simulator, with threads that take turns, and CuPy's stand-in.

A program of its own, as the simulator must be chosen before anything is imported; it is run by
``test_kernels.py``. Of each block one thread runs at a time, from a barrier to the next, the first
one first or the last one first, so that what one thread tells another without a barrier comes too
late in one of the two orders. A barrier at which a part of a block waits for threads that have
ended is an error.

    python simulated.py fast|mutants        one line of JSON: a name, and what went wrong, or ""
"""

import json
import os
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

os.environ |= {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}  # before Numba is imported

import numba.cuda.simulator.kernel as simulator
import numpy as np

LANES = 8  # threads of a block, fewer than on a device: each is a thread of the CPU


class Turn(simulator.BlockThread):
    """A thread that runs when it is told to, until it has ended or is at a barrier."""

    def __init__(self, *args):
        super().__init__(*args)
        self.rests, self.goes, self.ended = threading.Semaphore(0), threading.Semaphore(0), False

    def run(self):
        self.goes.acquire()
        super().run()
        self.ended = True
        self.rests.release()

    def syncthreads(self):
        self.rests.release()
        self.goes.acquire()
        if self.abort:
            raise SystemExit

    def go(self):
        self.goes.release()
        self.rests.acquire()


class Turns(simulator.BlockManager):
    """A block whose threads take turns."""

    backwards = False

    def run(self, grid_point, *args):
        points = list(np.ndindex(*self._block_dim))[:: -1 if Turns.backwards else 1]
        threads = [
            Turn(lambda: self._f(*args), self, grid_point, point, self._debug) for point in points
        ]
        for thread in threads:
            thread.start()
        while True:
            for thread in threads:
                thread.go()
            failed = [thread.exception for thread in threads if thread.exception]
            ended = sum(thread.ended for thread in threads)
            if ended == len(threads) and not failed:
                return
            if failed or ended:
                for thread in threads:
                    thread.abort = True
                    thread.goes.release()
                if failed:
                    raise failed[0][0].with_traceback(failed[0][1])
                raise RuntimeError(f"{ended} threads of {len(threads)} never come to a barrier")


simulator.BlockManager = Turns

import kernel_drivers as drivers  # noqa: E402 - the simulator comes first
import kernel_mutants as broken  # noqa: E402
import kernel_twins as twins  # noqa: E402

import wlnn.backend.noise_kernel as noise  # noqa: E402
import wlnn.canonical.kernels as canonical  # noqa: E402
import wlnn.wlmd.kernels as wlmd  # noqa: E402

MODULES = {"noise": noise, "wlmd": wlmd, "canonical": canonical}
wlmd.LANES = canonical.LANES = LANES


def checked(check, kernels) -> str:
    """What a check of kernels finds, in both orders of threads; nothing if they are right."""
    for backwards in (False, True):
        Turns.backwards = backwards
        try:
            check(kernels)
        except Exception as error:
            where = "last thread first" if backwards else "first thread first"
            return f"{where}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return ""


def mutant(part: str, old: str, new: str) -> ModuleType:
    """A file of kernels from its text with one change."""
    module = MODULES[part]
    text = Path(module.__file__).read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise LookupError(f"{module.__name__} holds {text.count(old)} times: {old!r}")
    copy = ModuleType(f"{module.__name__}_mutant")
    exec(compile(text.replace(old, new), "<mutant>", "exec"), vars(copy))
    copy.LANES = LANES
    return copy


def kernels_with(**changed):
    """All kernels, some modules replaced."""
    return SimpleNamespace(**MODULES | changed)


def fast():
    """Every kernel against its twin, and whole walks on the stand-in of CuPy."""
    checks = {name: checked(check, kernels_with()) for name, check in twins.CHECKS.items()}
    return checks | drivers.found()


def mutants():
    """Every broken kernel and walk, and what its check says."""
    found = {}
    for name, (check, part, old, new) in broken.KERNELS.items():
        changed = {part: mutant(part, old, new)}
        if part == "noise":  # its caller has to call the broken one
            changed["wlmd"] = mutant("wlmd", "calls + acted - 1", "calls + acted - 1 + 0")
            changed["wlmd"].normals = changed[part].normals
        found[name] = checked(twins.CHECKS[check], kernels_with(**changed))
    Turns.backwards = False
    return found | drivers.caught(broken.WALKS, mutant)


if __name__ == "__main__":
    print(json.dumps({"fast": fast, "mutants": mutants}[sys.argv[1]]()))
