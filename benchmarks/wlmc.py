"""Nanoseconds per step of Wang-Landau Monte Carlo, against the same walk written in other ways.

All start from one state of a walker; first every peer is given the same proposals and must find the
same losses and accuracies. Then all are timed in turns in one process on one core, so that what
else the machine does falls on all alike. Ratios are medians over the turns. PyTorch and C++ are
left out, and this is said, where there is no torch or no compiler.

    python benchmarks/wlmc.py [--shapes 3x6-relu,3x6-tanh,4x8-relu] [--points 40,200,1000]
                              [--turns 11] [--seconds 0.2] [--march native]

``--march haswell`` has Numba and C++ write code for a processor with AVX2 and no more.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy and PyTorch load their libraries
AVX2 = "sse3 ssse3 sse4.1 sse4.2 popcnt cx16 avx avx2 fma f16c bmi bmi2 lzcnt movbe"
given = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
given.add_argument("--march", default="native", choices=("native", "haswell"))
MARCH = given.parse_known_args()[0].march
if MARCH == "haswell":  # before Numba is loaded, which keeps code of each processor apart
    os.environ["NUMBA_CPU_NAME"] = MARCH
    os.environ["NUMBA_CPU_FEATURES"] = ",".join(f"+{name}" for name in AVX2.split())

import numpy as np
from peers import wlmc_peers as peers

from wlnn import load_task
from wlnn.landscape.grid import Axis, Grid
from wlnn.settings.samplers import WLMCSettings
from wlnn.wlmc import walker as wlmc

GIVEN = 300  # proposals on which all peers must agree
AGREE = {"float32": 1e-4, "float64": 1e-10}  # in ln L; PyTorch and the fast ones are float32


def prepared(layers: int, width: int, activation: str, points: int) -> peers.Start:
    """A walker's state after 2e6 steps: the losses of a real run, most bins known."""
    how = {"layers": layers, "width": width, "activation": activation, "points": points}
    task = load_task("spiral-classify", **how)
    problem = task.problem()
    right = Axis(problem.grid.y.name, -0.5 / points, 1 + 0.5 / points, points + 1)
    problem = replace(problem, grid=Grid(problem.grid.x, right))  # the peers have no wider bins
    settings = WLMCSettings(steps=2_500_000, stages=50, production=0.2)
    plan = wlmc.make_plan(settings)
    walker, system = wlmc.start(problem, settings, 0), problem.system("float32")
    for _ in range(plan.n_adaptive):
        walker = wlmc.advance(problem, system, walker, plan, np.zeros(1, np.uint8))
    visits = np.maximum(walker.visits, 1)  # every bin is known: no peer has rules of new bins
    return peers.Start(task, problem, walker.theta, walker.entropy, visits, walker.step_width)


def make_peers(start: peers.Start, folder: Path) -> dict[str, object]:
    """The peers that can run here, the package first."""
    found = {
        "wlnn float32": peers.Compiled(start, "float32"),
        "wlnn float64": peers.Compiled(start, "float64"),
        "NumPy, lean": peers.LeanNumpy(start),
        "NumPy, the definition": peers.Definition(start),
        "Numba, scalar loops": peers.Naive(start),
    }
    try:
        found["PyTorch, eager"] = peers.Torch(start)
    except ImportError:
        print("  PyTorch is not installed: left out")
    if peers.compiler() is None:
        print("  there is no C++ compiler: left out")
    else:
        found["C++ float32"] = peers.Cpp(start, "float32", folder, MARCH)
        found["C++ float64"] = peers.Cpp(start, "float64", folder, MARCH)
    return found


def check(found: dict, start: peers.Start) -> None:
    """Every peer must find the same ln L and accuracy for the same proposals."""
    rng = np.random.default_rng(0)
    lo, hi = start.problem.lo, start.problem.hi
    index = rng.integers(0, start.theta.size, GIVEN)
    value = rng.uniform(lo[index], hi[index])
    accept = rng.random(GIVEN) < 0.5
    x, y = found["NumPy, the definition"].walk(index, value, accept)
    one = 1.5 / len(start.task.data.y_test)  # a test point on the boundary may fall either way
    for name, peer in found.items():
        px, py = peer.walk(index, value, accept)
        single = "float32" in name or "Torch" in name
        limit = AGREE["float32" if single else "float64"]
        if not np.abs(px - x).max() <= limit or np.abs(py - y).max() > one * single + 1e-12:
            raise SystemExit(f"{name} walks another way: ln L off by {np.abs(px - x).max():.1e}")


def timed(found: dict, turns: int, seconds: float) -> dict[str, np.ndarray]:
    """Seconds per step of each peer, ``(turns,)``, timed in turns."""
    steps = {}
    for name, peer in found.items():
        peer.run(50)
        n, spent = 50, 0.0
        while spent < 0.2 * seconds:
            n *= 2
            began = time.perf_counter()
            peer.run(n)
            spent = time.perf_counter() - began
        steps[name] = max(50, int(n * seconds / spent))
    times = {name: np.empty(turns) for name in found}
    for turn in range(turns):
        for name, peer in found.items():
            began = time.perf_counter()
            peer.run(steps[name])
            times[name][turn] = (time.perf_counter() - began) / steps[name]
    return times


def two_walkers(start: peers.Start, turns: int, seconds: float) -> np.ndarray:
    """Steps per second of two walkers in two threads over those of one, ``(turns,)``."""
    walkers = [peers.Compiled(start, "float32") for _ in range(2)]
    n = max(1000, int(seconds / 150e-9))
    ratios = np.empty(turns)
    with ThreadPoolExecutor(2) as pool:
        for turn in range(turns):
            began = time.perf_counter()
            walkers[0].run(n)
            alone = time.perf_counter() - began
            began = time.perf_counter()
            list(pool.map(lambda walker: walker.run(n), walkers))
            ratios[turn] = 2 * alone / (time.perf_counter() - began)
    return ratios


def main() -> None:
    """Print one table per shape of network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], parents=[given])
    parser.add_argument("--shapes", default="3x6-relu,3x6-tanh,4x8-relu")
    parser.add_argument("--points", default="40", help="in each of the two data sets")
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a turn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = itertools.product(options.shapes.split(","), options.points.split(","))
        for shape, points in cases:
            size, _, activation = shape.partition("-")
            layers, width = map(int, size.split("x"))
            print(f"{layers} x {width} {activation}, {points} + {points} points")
            start = prepared(layers, width, activation, int(points))
            found = make_peers(start, Path(folder))
            check(found, start)
            times = timed(found, options.turns, options.seconds)
            ours = times["wlnn float32"]
            for name, seconds in times.items():
                # the ratio to the same precision, where the peer has one of its own
                base = times["wlnn float64"] if name.endswith("float64") else ours
                print(
                    f"  {name:<22} {1e9 * np.median(seconds):>10,.0f} ns/step (least "
                    f"{1e9 * seconds.min():,.0f})  {np.median(seconds / base):8.2f} x wlnn"
                )
            if (os.cpu_count() or 1) > 1:
                gain = two_walkers(start, options.turns, options.seconds)
                print(f"  two walkers on two cores: {np.median(gain):.2f} x one")


if __name__ == "__main__":
    main()
