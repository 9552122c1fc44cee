"""Settings of a task: network, data, grid, contexts."""

from __future__ import annotations

from dataclasses import dataclass

from wlnn.base.errors import UserError
from wlnn.settings.section import Section, option

ROWS = "every row is evaluated at every step"


@dataclass(frozen=True)
class NetworkSettings(Section):
    """The network's size, and its box or Gaussian prior.

    ``layers`` hidden layers of ``width`` units; the channels of the first layer, where the task has
    a convolutional network.

    Examples:
        >>> import wlnn
        >>> wlnn.NetworkSettings(layers=2, width=30).width
        30
    """

    name = "network"
    layers: int = option(3, low=0, high=64)
    width: int = option(6, low=1, high=4096)
    activation: str = option(
        "relu", choices=("relu", "tanh", "silu", "gelu", "gelu-tanh", "identity")
    )
    logits: int = option(2, choices=(1, 2))  # outputs of a classifier of two classes
    bound_rule: str = option("width", choices=("width", "fan_out", "fan_in"))
    bound_factor: float = option(2.0, above=0)  # c in b = c / sqrt(W)
    prior: str = option("box", choices=("box", "gaussian"), later=True)
    sigma: float = option(0.0, low=0, later=True)  # of "gaussian"; 0: each parameter its own b

    def __post_init__(self):
        super().__post_init__()
        if self.prior == "box" and self.sigma:
            raise UserError(
                f"network.sigma = {self.sigma:g} is that of a Gaussian prior; set network.prior to "
                "'gaussian' as well, or leave it out."
            )


@dataclass(frozen=True)
class DataSettings(Section):
    """What a data set is drawn with, and how its inputs are scaled.

    Examples:
        >>> import wlnn
        >>> wlnn.DataSettings(seed=3, points=50).points
        50
        >>> wlnn.DataSettings(pionts=50)
        Traceback (most recent call last):
        wlnn.base.errors.UserError: there is no data.pionts; did you mean 'points'?
    """

    name = "data"
    seed: int = option(0, low=0)
    points: int = option(40, low=2, high=10**6, why=ROWS)  # in each set, or in the training set ...
    test_points: int = option(0, low=0, high=10**6, why=ROWS)  # ... the test set; 0 = as many
    noise: float = option(0.1, low=0)  # standard deviation, units of the inputs
    test_radii: str = option("random", choices=("random", "even"))
    selection: str = option("seeded", choices=("seeded", "published"))  # regression and images
    scale: str = option("raw", choices=("raw", "unit", "standard"))  # of images and embeddings
    first_class: int = option(4, low=0, high=9)  # cifar only: labels of the two classes
    second_class: int = option(6, low=0, high=9)


@dataclass(frozen=True)
class GridSettings(Section):
    """Macrostates: x is ln(train loss) or, as y has it, an accuracy; y one of three quantities.

    Examples:
        >>> import wlnn
        >>> settings = wlnn.GridSettings(x_low=-3.0, x_high=0.5, x_width=0.1)
        >>> settings.x_low, settings.y
        (-3.0, 'test-accuracy')
    """

    name = "grid"
    x: str = option("ln-train-loss", choices=("ln-train-loss", "train-accuracy"))
    x_low: float = option(-7.0)  # x_low, x_high, x_width: ln(train loss) only
    x_high: float = option(1.0)
    x_width: float = option(0.05, above=0)  # of a bin
    y: str = option("test-accuracy", choices=("test-accuracy", "smoothed-accuracy", "ln-test-loss"))
    y_low: float = option(-7.0)  # y_low, y_high: ln(test loss) only
    y_high: float = option(5.0)
    y_width: float = option(0.1, above=0)  # of a bin; test-accuracy has one bin per count instead
    alpha: float = option(5.0, above=0)  # sharpness of the smoothed accuracy, Eq. (2)

    def __post_init__(self):
        super().__post_init__()
        for axis in "xy":
            low, high = getattr(self, f"{axis}_low"), getattr(self, f"{axis}_high")
            bins = (high - low) / getattr(self, f"{axis}_width")
            if not 2 <= bins <= 1e5:
                raise UserError(
                    f"grid.{axis}_low, grid.{axis}_high and grid.{axis}_width make {bins:g} bins; "
                    "between 2 and 100000 are possible."
                )


@dataclass(frozen=True)
class ContextSettings(Section):
    """Context-dependent input selection: sizes, box and units; used by ``context-select`` only."""

    name = "context"
    contexts: int = option(2, low=1, high=64)  # K, which is the number of inputs too
    units: int = option(16, low=1, high=4096)  # N
    net: str = option("gain-linear", choices=("gain-linear", "relu"))
    box: float = option(2.0, above=0)  # b: every parameter lies in [-b, b]
    inputs: int = option(16, low=2, high=10**5, why=ROWS)  # x and -x in pairs; these three: relu
    input_scale: float = option(0.3, above=0)  # s_x
    input_seed: int = option(0, low=0)


SECTIONS = (NetworkSettings, DataSettings, GridSettings, ContextSettings)  # what tasks read
