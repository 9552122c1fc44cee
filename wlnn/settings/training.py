"""Settings of trainings and of the search for their hyper-parameters.

They are sections of ``wlnn.settings``; the numbers of the paper are in its tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from wlnn.base.errors import UserError
from wlnn.settings.section import Section, option

INITIALISATIONS = ("fan-in", "xavier-uniform", "kaiming-normal", "kaiming-weights", "small-head")


@dataclass(frozen=True)
class TrainSettings(Section):
    """Trainings by gradient descent, and how many of them.

    Examples:
        >>> import wlnn
        >>> wlnn.TrainSettings(optimizer="adam", learning_rate=1e-3, epochs=500).epochs
        500
    """

    name = "train"
    optimizer: str = option("adam", choices=("sgd", "adam"))
    learning_rate: float = option(1e-3, above=0)
    momentum: float = option(0.0, low=0, high=0.999)  # of sgd
    beta1: float = option(0.9, low=0, high=0.999999)  # beta1, beta2, epsilon: of adam
    beta2: float = option(0.999, low=0, high=0.999999)
    epsilon: float = option(1e-8, above=0)
    batch_size: int = option(0, low=0)  # rows of a minibatch; 0 = the whole training set
    epochs: int = option(1000, low=1)
    initialisation: str = option("fan-in", choices=INITIALISATIONS)
    # what is recorded as an epoch's train loss: that of the whole set at its end, or the mean over
    # its minibatches while it went on, as training logs have it
    train_loss: str = option("end", choices=("end", "running-mean"), later=True)
    precision: str = option("float32", choices=("float32", "float64"))
    runs: int = option(100, low=1, high=1_000_000)  # independent trainings
    together: int = option(0, low=0)  # on one leading axis; 0 = judged by network and minibatch
    seed: int = option(0, low=0)


@dataclass(frozen=True)
class TuneSettings(Section):
    """The grid of learning rates and batch sizes that `wlnn tune` tries.

    Examples:
        >>> import wlnn
        >>> wlnn.TuneSettings(rate_low=1e-4, rate_high=1e-1, rates=4).rates
        4
    """

    name = "tune"
    rate_low: float = option(1e-4, above=0)
    rate_high: float = option(1e-1, above=0)
    rates: int = option(7, low=1, high=1000)  # evenly spaced in ln(learning rate), ends included
    batch_low: int = option(16, low=0)  # 0 = the whole training set, the only one then
    batch_high: int = option(128, low=0)  # batch sizes double from batch_low; this is the last
    runs: int = option(10, low=2, high=1_000_000)  # trainings of each setting

    def __post_init__(self):
        super().__post_init__()
        for low, high in (("rate_low", "rate_high"), ("batch_low", "batch_high")):
            if getattr(self, low) > getattr(self, high):
                raise UserError(f"tune.{low} must be at most tune.{high}.")
