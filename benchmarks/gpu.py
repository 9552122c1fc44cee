"""Time of a step of molecular dynamics by the number R of walkers, on a CUDA device.

Networks and rows as in the published runs; a step is one force, one move and one hill of every
walker, a table each. Printed as JSON lines, each as soon as it is known: microseconds of a step and
of a walker's step (median, 10 % and 90 % of blocks of steps), memory taken, and beside it the
compiled loop of one walker on one core of the CPU. Where kernels run there is a row with them and
one without.

Then four ladders of the spiral task, 200 replicas, with their exchanges: microseconds of a step of
a replica, and seconds of 5e6 forces, a landscape. At the end ``gpu_peers.py`` runs PyTorch and JAX
in a process of its own, which is stopped where it takes too long. What was not measured has a
sentence in the place of a time. With --cpu NumPy takes the place of the device, which times nothing
of interest and tries the program.

    python benchmarks/gpu.py [--seconds 4] [--out rows.jsonl] [--only "W = 30"] [--peers 150]
                             [--cpu]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from wlnn.backend.device import CPU, DeviceError, device_of
from wlnn.base.errors import UserError
from wlnn.ladder.ladder import advance_all
from wlnn.ladder.movers import Langevin
from wlnn.ladder.rungs import untilted
from wlnn.ladder.samples import Samples
from wlnn.ladder.state import RUN, Ladder
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.networks.images import CNN, ResNet10
from wlnn.settings.ladder import LadderSettings
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.field import field_of, field_on
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.surface import A0, Walls, make_surface

GRID = Grid(Axis("x", -8, 4, 300), Axis("y", -8, 8, 400))
BLOCK = 50  # steps
LADDERS, RUNGS, FORCES = 4, 51, 5e6  # a rung of each is a draw, and moves nothing
NEVER = np.zeros(1, np.uint8)
CASES = {  # network, shape of a row, rows of both sets, numbers of walkers
    "W = 30": (FNN((2, 30, 30, 1)), (2,), 500, (1, 8, 64, 512)),
    "W = 100": (FNN((2, 100, 100, 1)), (2,), 500, (1, 8, 64, 512)),
    "W = 300": (FNN((2, 300, 300, 1)), (2,), 500, (1, 8, 64)),
    "W = 1000": (FNN((2, 1000, 1000, 1)), (2,), 500, (1, 8)),
    "house W = 20": (FNN((331, 20, 1), "silu"), (331,), 1460, (1, 8, 64)),
    "CNN c = 2": (CNN(2, classes=2), (1, 28, 28), 500, (1, 8, 32)),
    "ResNet-10": (ResNet10(), (3, 32, 32), 5000, (1,)),
}


def problem_of(name, rows):
    """Random rows and answers."""
    network, shape, _, _ = CASES[name]
    rng, n = np.random.default_rng(1), rows // 2
    x = [rng.normal(size=(n, *shape)) for _ in range(2)]
    regress = isinstance(network, FNN)
    y = [rng.normal(size=n) if regress else np.arange(n) % 2 for _ in range(2)]
    kind = ("ln-test-loss", "squared-error") if regress else ("smoothed-accuracy", "cross-entropy")
    data = Dataset(x[0], y[0], x[1], y[1], {})
    return NetworkVariables(Task(name, data, network, GRID, *kind)).problem()


def blocks(round_of_steps, seconds):
    """Microseconds of a step: 10 %, median and 90 % over blocks, the first of which is left out."""
    round_of_steps()
    times, until = [], time.monotonic() + seconds
    while len(times) < 3 or time.monotonic() < until:
        began = time.perf_counter()
        steps = round_of_steps()
        times.append(1e6 * (time.perf_counter() - began) / steps)
    return [float(value) for value in np.percentile(times, (10, 50, 90))]


def on_device(problem, field, walkers, steps):
    """A function that makes some steps of all walkers, and waits for them."""
    device, xp = field.device, field.device.xp
    surface = make_surface(GRID, 0.2, Walls(-7, 3, -7, 7))
    motion = wlmd.make_motion(problem, 1e-5, 1e-3)
    rng = np.random.default_rng(0)
    theta = device.put(problem.start(rng, walkers))
    v = device.put(rng.standard_normal(theta.shape))
    tables = xp.zeros((walkers, *GRID.shape))
    trace, hills = xp.empty((walkers, steps, 4)), np.full(steps, A0)
    noise = device.noise([np.random.default_rng(k) for k in range(walkers)], walkers)

    def run():
        _, endings = wlmd.walk_on(field)(
            xp, field, theta, v, tables, surface, motion, hills, noise, trace
        )
        if device.host(endings).any():  # waits, too
            raise RuntimeError("a walker was lost")
        return steps

    return run


def compiled(problem):
    """The same of one walker on one core."""
    from wlnn.wlmd.driver import walk
    from wlnn.wlmd.integrator import make_box

    surface = make_surface(GRID, 0.2, Walls(-7, 3, -7, 7))
    motion = wlmd.make_motion(problem, 1e-5, 1e-3)
    rng, system = np.random.default_rng(0), problem.gradient_system()
    theta = problem.start(rng, 1)[0]
    v, table, trace = rng.standard_normal(theta.shape), np.zeros(GRID.shape), np.empty((BLOCK, 4))
    rest = make_box(problem.lo, problem.hi), table, surface, motion, np.full(BLOCK, A0), rng, trace
    stop = np.zeros(1, np.uint8)

    def run():
        walk(system, theta, v, *rest, stop)
        return BLOCK

    return run


def spiral_of_ladders(points=250):
    """The task of the ladders, W = 30, by its definition alone."""
    task = load_task("spiral-regress", width=30, points=points, seed=0)
    return replace(NetworkVariables(task).problem(), gradient_system=None, train_system=None)


def ladders(problem, field, rungs=RUNGS, settings=None):
    """A function that makes one stretch of all ladders, exchanges included, and tells its forces.

    A step costs the same at any temperature. Rungs are as warm as replicas bear that were just put
    anywhere; one that is lost all the same is an error, for it would move twice.
    """
    settings = settings or LadderSettings()
    asked = [0]

    def backward(xp, tape, ux, uy):
        asked[0] += len(ux)
        return field.backward(xp, tape, ux, uy)

    mover = Langevin(problem, settings, field._replace(backward=backward))
    some, seen = untilted(np.geomspace(1.0, 100.0, rungs - 1)), Samples(*np.zeros((7, 0)))
    dt, zeros = mover.time_step(some.beta, some.kappa, np.zeros(rungs)), np.zeros(rungs)
    state = []
    for number in range(LADDERS):
        rng = np.random.default_rng(number)
        theta = problem.start(rng, rungs)
        state.append(Ladder(
            number, RUN, 0, 10**9, 0, 1.0, some, dt, np.arange(rungs), theta,
            rng.standard_normal(theta.shape), np.zeros(rungs, bool), zeros, zeros, 0, seen, (),
            *(np.zeros((n, rungs)) for n in (2, 2, 3)), 0,
        ))  # fmt: skip
    forces = LADDERS * (rungs - 1) * settings.stretch

    def run():
        asked[0] = 0
        state[:] = advance_all(mover, settings, state, NEVER)
        # samples do not pile up, and acceptances of these rungs are no reason to add one
        none = np.zeros((2, rungs))
        state[:] = [ladder._replace(parts=(), tried=none, accepted=none) for ladder in state]
        if asked[0] != forces:
            raise RuntimeError(f"{asked[0]} forces in the place of {forces}: a replica was lost")
        return forces

    return run


def ladder_row(problem, field, seconds, rungs=RUNGS, settings=None):
    """What the row of the ladders says."""
    low, middle, high = blocks(ladders(problem, field, rungs, settings), seconds)
    row = {"ladders": LADDERS, "replicas": LADDERS * (rungs - 1), "us_per_replica_step": middle}
    return row | {"p10": low, "p90": high, "s_for_5e6_forces": FORCES * middle / 1e6}


def sayer(out):
    """A function that prints a row, and keeps it in a file where there is one."""

    def say(**row):
        text = json.dumps(row)
        print(text, flush=True)
        if out:
            with open(out, "a", encoding="utf-8") as file:
                file.write(text + "\n")

    return say


def peers(given, say):
    """The rows of the peers; what they break or block is theirs."""
    words = [
        sys.executable,
        str(Path(__file__).with_name("gpu_peers.py")),
        f"--budget={given.peers}",
    ]
    words += ["--cpu"] * given.cpu + [f"--seconds={min(given.seconds, 0.5)}"]
    words += [
        f"--{name}={getattr(given, name)}" for name in ("out", "only") if getattr(given, name)
    ]
    try:
        status = subprocess.run(words, timeout=given.peers + 60, check=False).returncode
    except subprocess.TimeoutExpired:
        say(peer="all that are left", reason="stopped: one of them did not come back in time")
        return
    if status:
        say(peer="all that are left", reason=f"their process ended with status {status}")


def main():
    """All rows, one after another."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each row")
    parser.add_argument("--out", help="where the rows are kept, too")
    parser.add_argument("--only", choices=CASES, help="one network")
    parser.add_argument("--peers", type=float, default=150.0, help="seconds of them; 0: none")
    parser.add_argument("--cpu", action="store_true", help="NumPy in the place of the device")
    given = parser.parse_args()
    try:
        device = CPU if given.cpu else device_of("cuda")
    except DeviceError as reason:
        sys.exit(f"nothing was measured: {reason}")

    say = sayer(given.out)
    say(device=device.about, kernels=device.kernels and device.kernels.about, why=device.no_kernels)
    kinds = [device, device.plain()] if device.kernels else [device]
    for name in [given.only] if given.only else CASES:
        problem = problem_of(name, 20 if given.cpu else CASES[name][2])
        about = {"network": name, "parameters": problem.n_parameters}
        low, middle, high = blocks(compiled(problem), given.seconds)
        say(**about, on="one core", us_per_step=middle, p10=low, p90=high)
        for walkers in CASES[name][3][: 1 if given.cpu else None]:
            for kind in kinds:
                row = about | {"walkers": walkers, "kernels": kind.kernels is not None}
                try:
                    field = field_of(problem) if given.cpu else field_on(problem, kind, walkers)
                    with kind.using():
                        run = on_device(problem, field, walkers, 2 if given.cpu else BLOCK)
                        low, middle, high = blocks(run, given.seconds)
                except (DeviceError, MemoryError) as reason:
                    say(**row, reason=str(reason))
                    continue
                row |= {"us_per_step": middle, "p10": low, "p90": high, "fits": field.most}
                say(**row, on=kind.name, us_per_walker=middle / walkers)

    if given.only in (None, "W = 30"):
        problem, small = spiral_of_ladders(10 if given.cpu else 250), {}
        if given.cpu:
            settings = LadderSettings(stretch=20, sample_every=10)
            small = {"rungs": 3, "settings": settings}
        for kind in kinds:
            row = {"task": "ladders of spiral-regress, W = 30", "kernels": kind.kernels is not None}
            walkers = LADDERS * (RUNGS - 1)
            try:
                field = field_of(problem) if given.cpu else field_on(problem, kind, walkers)
                say(**row, on=kind.name, **ladder_row(problem, field, given.seconds, **small))
            except (RuntimeError, MemoryError, UserError) as reason:
                say(**row, reason=str(reason))
    if given.peers:
        peers(given, say)


if __name__ == "__main__":
    main()
