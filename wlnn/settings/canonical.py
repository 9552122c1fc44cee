"""Settings of the motion in the training loss at a temperature, and of the search that uses it.

They are sections of ``wlnn.settings``; the numbers of the tasks are in its tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from wlnn.base.errors import UserError
from wlnn.settings.section import Section, option

AS_DRAWN = 100.0  # no network has this ln(train loss): walkers stay where they were drawn


@dataclass(frozen=True)
class MDSettings(Section):
    """Molecular dynamics on the training loss at a temperature (`wlnn md`).

    Units: mass 1, k_B = 1, temperature in units of the loss.

    Examples:
        >>> import wlnn
        >>> wlnn.MDSettings(temperature=0.003, steps=20_000).temperature
        0.003
    """

    name = "md"
    temperature: float = option(0.01, above=0)
    steps: int = option(200_000, low=1)  # of one walker
    record: int = option(200, low=1)  # steps between two records
    walkers: int = option(8, low=1, high=10_000)  # independent: their spread is the error
    start_x: float = option(AS_DRAWN)  # they are brought down to this ln(train loss) at once
    dt: float = option(0.01, above=0)
    friction: float = option(0.002, low=0, high=0.5)  # per step; 0 is Newtonian motion
    thermostat_every: int = option(10, low=1)  # steps
    seed: int = option(0, low=0)

    def __post_init__(self):
        super().__post_init__()
        if self.record % self.thermostat_every:
            raise UserError(
                f"md.record must be a multiple of md.thermostat_every = {self.thermostat_every}, "
                f"not {self.record}."
            )
        if self.steps < 20 * self.record:
            raise UserError(
                f"md.steps = {self.steps} is too short: give {20 * self.record} or more, 20 times "
                f"md.record = {self.record}."
            )
        if self.steps % self.record:
            raise UserError(
                f"md.steps must be a multiple of md.record = {self.record}, not {self.steps}."
            )


@dataclass(frozen=True)
class SeekSettings(Section):
    """Ways to the equilibrium states (`wlnn seek`); time step, friction, start_x are those of "md".

    One gradient evaluation is that of the whole training set; an epoch of minibatches is one too.

    Examples:
        >>> import wlnn
        >>> wlnn.SeekSettings(evaluations=12_000, runs=4).runs
        4
    """

    name = "seek"
    evaluations: int = option(100_000, low=1)  # of each run, all its replicas together
    runs: int = option(8, low=2, high=10_000)  # independent: their spread is the error
    stretch: int = option(100, low=1)  # steps between exchanges, or changes of the temperature
    low: float = option(0.002, above=0)  # temperature of constant and annealed motion at the end
    high: float = option(0.02, above=0)  # where annealing begins, and of the hottest replica
    replicas: int = option(6, low=2, high=1000)  # of parallel tempering
    sgd_rate: float = option(0.1, above=0)  # where the table has no rate of that optimiser ...
    adam_rate: float = option(1e-3, above=0)  # ... our choice: the usual ones
    seed: int = option(0, low=0)

    def __post_init__(self):
        super().__post_init__()
        if not self.low < self.high:
            raise UserError(f"seek.low must be below seek.high = {self.high:g}, not {self.low:g}.")
        if self.evaluations < 20 * self.stretch * self.replicas:
            raise UserError(
                f"seek.evaluations = {self.evaluations} is too short: give "
                f"{20 * self.stretch * self.replicas} or more, 20 times seek.stretch x "
                f"seek.replicas = {self.stretch * self.replicas}."
            )
