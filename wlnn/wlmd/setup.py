"""What does not change while Wang-Landau molecular dynamics runs, made once from its settings."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from wlnn.landscape.grid import Axis, Grid
from wlnn.settings.samplers import WLMDSettings
from wlnn.tasks.problem import Problem
from wlnn.wlmd.surface import Surface, Walls, make_surface


class Setup(NamedTuple):
    """A run: its problem, whose grid is the window of the run, its settings and its surface."""

    problem: Problem
    settings: WLMDSettings
    surface: Surface

    def hills_at(self, t: int) -> Surface:
        """The surface with the hills of a round that begins after ``t`` steps: narrow at last."""
        sigma = self.settings.tail_sigma
        if t < self.settings.t2 or not sigma:
            return self.surface
        return self.surface._replace(sigma=sigma, reach=self.settings.cutoff * sigma)


def make_setup(problem: Problem, settings: WLMDSettings) -> Setup:
    """The problem on the grid of a run: the window, and a margin that walkers enter in spite of
    the walls.

    Raises:
        UserError: the problem has no gradient, or hills are narrower than a bin.
    """
    problem.require_gradient()
    problem.require_box("Wang-Landau molecular dynamics")
    windows = (settings.x_low, settings.x_high), (settings.y_low, settings.y_high)
    grid = Grid(
        *(
            Axis.of_width(name, low - settings.margin, high + settings.margin, settings.spacing)
            for name, (low, high) in zip(problem.names, windows, strict=True)
        )
    )
    walls = Walls(*windows[0], *windows[1], settings.wall_low, settings.wall_high)
    surface = make_surface(grid, settings.sigma, walls, settings.cutoff)
    return Setup(replace(problem, grid=grid), settings, surface)
