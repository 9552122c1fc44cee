"""Settings of the two samplers."""

from __future__ import annotations

from dataclasses import dataclass

from wlnn.base.errors import UserError
from wlnn.settings.section import Section, option


@dataclass(frozen=True)
class WLMCSettings(Section):
    """Wang-Landau Monte Carlo: length, schedule, moves and walkers of one run.

    Examples:
        >>> import wlnn
        >>> settings = wlnn.WLMCSettings(steps=1e6, walkers=4)
        >>> settings.steps
        1000000
        >>> wlnn.WLMCSettings(walkers=0)
        Traceback (most recent call last):
        wlnn.base.errors.UserError: wlmc.walkers must be 1 or more, not 0.
    """

    name = "wlmc"
    steps: int = option(60_000_000, low=1)  # of one walker, adaptive part and production together
    stages: int = option(400, low=1, high=1_000_000)  # the run is reported and saved after each
    production: float = option(0.6, low=0, high=0.95)  # last part of the steps, which is measured
    # "common": mean S of all walkers, frozen for all, + ln(sum of their visits): no known bias.
    # "average": mean of an S that still grows: too deep where S is small (spiral-classify: 2 nats).
    # "frozen": own S + ln H of each walker: a walker that never crosses, or sits in a rare bin, is
    # off by more than its spread says.
    estimator: str = option("common", choices=("common", "average", "frozen"))
    schedule: str = option("one-over-t", choices=("one-over-t", "paper", "halving"))
    ln_f0: float = option(0.05, above=0, high=0.1)  # nats per visit at the start; not for "paper"
    c: float = option(8.0, above=0, high=80)  # "one-over-t" ends at ln f = c (visited bins) / t
    step_rule: str = option("freeze", choices=("freeze", "log-uniform", "paper"))
    step_width: float = option(0.1, above=0, high=1)  # first half width of a move / width of box
    late_bins: str = option("nearby", choices=("nearby", "minimum", "previous"))
    precision: str = option("float32", choices=("float32", "float64"))  # of the network; S: float64
    walkers: int = option(8, low=1, high=10_000)
    merge_every: int = option(0, low=0)  # stages between averages of S; 0 = never, "stage" = 1
    groups: int = option(4, low=1)  # independent sets of walkers; only used when merging
    seed: int = option(0, low=0)
    anchor_draws: int = option(1_000_000, low=0)  # uniform points that fix absolute entropies
    keep_networks: bool = option(False)  # store one network of every bin

    def __post_init__(self):
        words = {"stage": 1, "never": 0}
        if isinstance(self.merge_every, str) and self.merge_every in words:
            object.__setattr__(self, "merge_every", words[self.merge_every])
        super().__post_init__()
        if self.steps < 10 * self.stages:
            raise UserError(
                f"wlmc.steps = {self.steps} is too short: give {10 * self.stages} or more for "
                f"wlmc.stages = {self.stages}, or fewer stages."
            )
        if self.estimator == "common":
            self._check_common()
        if self.merge_every and self.walkers % self.groups:
            raise UserError(
                f"wlmc.groups must divide wlmc.walkers = {self.walkers}, not be {self.groups}."
            )

    def _check_common(self) -> None:
        if not self.production:
            raise UserError(
                "wlmc.estimator = 'common' counts visits in production, and there is none; raise "
                "wlmc.production, or take wlmc.estimator=frozen."
            )
        if self.merge_every:
            raise UserError(
                "wlmc.merge_every merges what wlmc.estimator = 'common' needs independent; take "
                "wlmc.merge_every=never, or wlmc.estimator=frozen or average."
            )

    @property
    def n_production(self) -> int:
        """Stages of production; learning has one at least."""
        wanted = max(round(self.production * self.stages), int(self.production > 0))
        return min(wanted, self.stages - 1)

    @property
    def who(self) -> str:
        """Who moves, in words: "16 walkers"."""
        return f"{self.walkers} walker{'s' * (self.walkers > 1)}"


@dataclass(frozen=True)
class WLMDSettings(Section):
    """Wang-Landau molecular dynamics: window and walls, hills, schedule, time step and walkers.

    Units: x, y and everything along them in units of the axes, steps of one walker, mass 1 and
    temperature 1.

    Examples:
        >>> import wlnn
        >>> wlnn.WLMDSettings(steps=4e5, tables=2).tables
        2
    """

    name = "wlmd"
    steps: int = option(5_000_000, low=1)  # of one walker
    production: float = option(0.0, low=0, high=0.95)  # last part of the steps, with S frozen
    f_max: float = option(10.0, above=0)  # f_max, t1, t2, t3: Eq. (4)
    t1: float = option(1e5, above=0, high=1e15)
    t2: float = option(2e6, above=0, high=1e15)
    t3: float = option(1.75e6, high=1e15)
    sigma: float = option(0.2, above=0)  # width of a hill
    tail_sigma: float = option(0.0, low=0)  # the same after t2; 0 = sigma
    cutoff: float = option(4.0, low=2, high=8)  # where a hill is cut, in sigma
    spacing: float = option(0.02, above=0)  # bin width of the table
    x_low: float = option(-5.0)  # walls of ln(train loss) ...
    x_high: float = option(-0.5)
    y_low: float = option(-5.0)  # ... and of the y axis
    y_high: float = option(3.0)
    wall_low: float = option(300.0, above=0)  # c of the walls c (distance)^2 at the low ends ...
    wall_high: float = option(3000.0, above=0)  # ... and at the high ends, Eq. (3)
    margin: float = option(2.2, above=0)  # of the table beyond the walls
    accuracy_axis: str = option("logit", choices=("logit", "scaled", "plain"))  # y = smoothed ...
    start: float = option(0.1, above=0, high=1)  # part of the box in which walkers are drawn ...
    start_x: float = option(100.0)  # ... and brought down to this x, if it is below x_high
    dt: float = option(2e-4, above=0)
    friction: float = option(4e-4, low=0, high=0.5)  # per step
    thermostat_every: int = option(10, low=1)  # steps
    integrator: str = option("baoab", choices=("baoab", "boa"))
    walkers: int = option(1, low=1, high=10_000)  # on one table
    tables: int = option(4, low=1, high=10_000)  # independent ones: their spread is the error
    round: int = option(1000, low=1)  # steps between two unions of the walkers' hills
    report: int = option(0, low=0)  # steps between reports and checkpoints; 0 = some seconds
    average_from: float = option(0.5, low=0, high=1)  # part of the steps before the average starts
    estimator: str = option("average", choices=("last", "average", "reweighted"))
    checks: bool = option(True)  # stop when a temperature or the table is wrong
    seed: int = option(0, low=0)
    keep_networks: bool = option(False)  # store one network of every macrostate of this width:
    keep_width: float = option(0.25, above=0)  # units of x and of y

    def __post_init__(self):
        super().__post_init__()
        for axis in "xy":
            low, high = getattr(self, f"{axis}_low"), getattr(self, f"{axis}_high")
            if not high - low >= 4 * self.sigma:
                raise UserError(
                    f"wlmd.{axis}_low, wlmd.{axis}_high = {low:g}, {high:g}: the window must be at "
                    f"least 4 wlmd.sigma = {4 * self.sigma:g} wide."
                )
        if 0 < self.tail_sigma < self.spacing:
            raise UserError(
                f"wlmd.tail_sigma must be at least wlmd.spacing = {self.spacing:g}, or 0, not "
                f"{self.tail_sigma:g}."
            )
        if self.round % self.thermostat_every:
            raise UserError(
                f"wlmd.round must be a multiple of wlmd.thermostat_every = {self.thermostat_every},"
                f" not {self.round}."
            )
        if self.report % self.round:
            raise UserError(
                f"wlmd.report must be a multiple of wlmd.round = {self.round}, not {self.report}."
            )
        if self.estimator == "reweighted" and not self.production:
            raise UserError("wlmd.estimator = 'reweighted' needs a wlmd.production above 0.")

    @property
    def who(self) -> str:
        """Who moves, in words: "4 tables of 2 walkers"."""
        walkers = f"{self.walkers} walker{'s' * (self.walkers > 1)}"
        return f"{self.tables} table{'s' * (self.tables > 1)} of {walkers}"
