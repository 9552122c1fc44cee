"""How long a run will take on this machine, from a short trial; the trial is thrown away."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from wlnn.base.running import Interrupted
from wlnn.runs.recipe import Recipe


def estimate(recipe: Recipe, problem, threads: int) -> float:
    """Seconds that the whole run will take on ``threads`` threads, from a trial of a second."""
    settings = getattr(recipe.settings, recipe.sampler)
    if recipe.sampler == "ladder":
        busy = min(threads, settings.ladders)
        step = _seconds_of_a_move(problem, settings)
        return settings.steps * math.ceil(settings.ladders / busy) * step
    if recipe.sampler == "wlmd":
        busy = min(threads, settings.tables * settings.walkers)
        trial = replace(settings, tables=busy, walkers=1, checks=False, production=0.0)
        step = _seconds_of_a_step(problem, trial, busy)
        return settings.steps * math.ceil(settings.tables * settings.walkers / busy) * step
    from wlnn.wlmc.run import sample

    busy, steps, seconds = min(threads, settings.walkers), 50, 0.0
    short = {"stages": 2, "production": 0.0, "merge_every": 0, "anchor_draws": 0}
    short["estimator"] = "frozen"
    trial = replace(settings, walkers=busy, keep_networks=False, **short)
    while seconds < 0.5 and steps < settings.steps:
        steps *= 8
        history = sample(problem, replace(trial, steps=steps), threads=busy).history
        seconds = history["seconds"].sum(axis=1).mean()
    return settings.steps * math.ceil(settings.walkers / busy) * seconds / steps


def _seconds_of_a_move(problem, settings) -> float:
    """A step of a replica, from ever longer trials up to half a second."""
    from wlnn.ladder.run import Climb

    mover, rng = Climb(problem, settings).mover(), np.random.default_rng(0)
    draw, stop = mover.draw(rng), np.zeros(1, np.uint8)
    steps, seconds = 8, 0.0
    while seconds < 0.5 and steps < settings.steps:
        steps *= 4
        began = time.perf_counter()  # the first one compiles, and is too short to count
        mover.walk(0.0, 0.0, 1e-12, draw.theta, draw.v, steps, rng, stop)
        seconds = time.perf_counter() - began if steps > 32 else 0.0
    return seconds / steps


def _seconds_of_a_step(problem, settings, threads: int) -> float:
    """Of molecular dynamics, from ever longer trials up to half a second."""
    from wlnn.wlmd.run import sample

    steps, seconds = settings.thermostat_every, 0.0
    while steps * seconds < 0.5 and steps < 1000:
        steps *= 4  # a step takes from 100 microseconds to seconds
        trial = replace(settings, steps=steps, round=steps, report=steps, keep_networks=False)
        try:
            history = sample(problem, trial, threads=threads).history
        except Interrupted as stop:
            raise KeyboardInterrupt from stop
        seconds = 1e-6 * history["us_per_step"][:, -1].mean()
    return seconds
