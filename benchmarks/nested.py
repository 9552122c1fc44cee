"""Nested sampling of spiral-classify beside landscapes: how far down it is a witness.

    python benchmarks/nested.py [RUN...] [--points 50,150,500] [--moves 600,6000] [--seeds 3]

Prints ln X, the box fraction with ln L below a level, by live points K, moves a step and seed, and
that of landscapes (runs of `wlnn sample` with an absolute S), with their standard errors.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from wlnn import load_task
from wlnn.reference.cases import nested
from wlnn.runs.find import find_landscape

AT = (-0.5, -1.0, -2.0, -3.0)  # ln L


def of_landscape(path: str) -> str:
    """ln X at each level of ``AT``."""
    curve = find_landscape(path).marginal_entropy()
    half = (curve.x[1] - curve.x[0]) / 2
    words = []
    for level in AT:
        below = np.flatnonzero((curve.x + half < level + 1e-9) & np.isfinite(curve.value))
        if not below.size:
            words.append("    none ")
            continue
        top = below[-1]  # nearly all of what is below lies in the highest row
        words.append(f"{np.logaddexp.reduce(curve.value[below]):8.2f} ({curve.error[top]:.2f})")
    return " ".join(words)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--points", default="50,150,500")
    parser.add_argument("--moves", default="600,6000")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--deepest", type=float, default=-128.0, help="ln X at which it ends")
    options = parser.parse_args()
    problem = load_task("spiral-classify").problem()
    print("    K  moves seed  seconds  ln X below ln L = " + ", ".join(map(str, AT)))
    for points in map(int, options.points.split(",")):
        for n_moves in map(int, options.moves.split(",")):
            for seed in range(options.seeds):
                began = time.perf_counter()
                x, ln_x = nested.levels_of(problem, points, n_moves, options.deepest, seed)
                ln_below = np.interp(AT, x[::-1], ln_x[::-1], left=np.nan)
                words = " ".join(f"{v:8.2f} ({np.sqrt(-v / points):.2f})" for v in ln_below)
                seconds = time.perf_counter() - began
                print(f"{points:5d} {n_moves:6d} {seed:4d} {seconds:8.1f}  {words}", flush=True)
    for run in options.runs:
        print(f"{run}: {of_landscape(run)}")


if __name__ == "__main__":
    main()
