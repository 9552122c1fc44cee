"""Settings of ladders of replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wlnn.base.errors import UserError
from wlnn.settings.section import Section, option


@dataclass(frozen=True)
class LadderSettings(Section):
    """Ladders of replicas at temperatures of the training loss, exchanged and joined by MBAR.

    A step is one evaluation: of the gradient over all rows in Langevin motion, of one move in Monte
    Carlo. The bins of the result are those of the section "grid".

    Examples:
        >>> import wlnn
        >>> wlnn.LadderSettings(ladders=3, steps=1e5).ladders
        3
    """

    name = "ladder"
    gone: ClassVar[dict] = {"tilts": 0}
    ladders: int = option(4, low=1, high=1000)  # independent ones: their spread is the error
    heated: int = option(0, low=0)  # of them, begin with a trained network and not with a draw
    steps: int = option(1_500_000, low=1000)  # of one ladder, all its rungs and their spacing
    x_low: float = option(-5.0)  # the coldest rung has a mean x below
    mover: str = option("auto", choices=("auto", "langevin", "monte-carlo"))  # by y, where "auto"
    draws: int = option(2000, low=200)  # uniform ones, which fix the zero of S
    descent: int = option(1500, low=30)  # steps a rung of the first pass
    pilot: int = option(20, low=6)  # stretches of the second pass, after which rungs are spaced
    stretch: int = option(100, low=1)  # steps between exchanges
    sample_every: int = option(20, low=1)  # steps between samples; Monte Carlo counts every one
    spacing: float = option(1.3, above=0, high=4)  # of ln beta, in 1 / sqrt(heat capacity)
    rungs: int = option(200, low=2, high=10_000)  # most of them in a descent
    depth: float = option(0.0, low=0, high=1000, later=True)  # nats off the ridge of each row ...
    tilt: float = option(1.0, above=0, high=4)  # ... by rungs in steps of kappa, in 1 / sd(y)
    dt: float = option(0.03, above=0)  # c of the time step c / sqrt(beta) ...
    dt_cap: float = option(0.03, above=0, high=0.2)  # ... at most this part of the least half box
    friction: float = option(1e-3, above=0, high=0.5)  # per step
    thermostat_every: int = option(10, low=1)  # steps
    burn_in: float = option(0.5, low=0, high=0.9)  # most that is dropped until halves agree
    keep_networks: bool = option(False)  # the last replica of every rung
    precision: str = option("float32", choices=("float32", "float64"))  # of Monte Carlo's network
    seed: int = option(0, low=0)

    def __post_init__(self):
        super().__post_init__()
        if self.heated > self.ladders:
            raise UserError(
                f"ladder.heated must be at most ladder.ladders = {self.ladders}, not {self.heated}."
            )
        for name in ("sample_every", "thermostat_every"):
            if self.stretch % getattr(self, name):
                raise UserError(
                    f"ladder.stretch must be a multiple of ladder.{name} = {getattr(self, name)}, "
                    f"not {self.stretch}."
                )

    @property
    def who(self) -> str:
        """Who moves, in words: "4 ladders"."""
        return f"{self.ladders} ladder{'s' * (self.ladders > 1)}"
