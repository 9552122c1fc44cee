"""The ridge of a landscape: the y of highest S, to less than a bin."""

import numpy as np
import pytest

from wlnn.landscape.grid import Axis
from wlnn.landscape.ridge import ridge

Y = Axis("y", -2.0, 2.0, 40)


def test_the_top_of_a_parabola_is_found_between_bins():
    tops = np.array([-0.53, 0.0, 0.614])
    entropy = -((Y.centres - tops[:, None]) ** 2) / (2 * 0.15**2)
    assert ridge(entropy, Y.centres) == pytest.approx(tops, abs=1e-6)
    assert ridge(entropy[None].repeat(2, 0), Y.centres).shape == (2, 3)


def test_noise_of_counts_moves_it_by_less_than_the_highest_bin():
    rng = np.random.default_rng(0)
    mean = 600 * Y.width * np.exp(-((Y.centres - 0.03) ** 2) / (2 * 0.3**2)) / 0.75
    with np.errstate(divide="ignore"):
        entropy = np.log(rng.poisson(mean, (300, Y.n)))
    entropy[~np.isfinite(entropy)] = np.nan
    fitted = ridge(entropy, Y.centres) - 0.03
    highest = Y.centres[np.nanargmax(entropy, axis=1)] - 0.03
    assert np.sqrt(np.mean(fitted**2)) < 0.5 * np.sqrt(np.mean(highest**2))
    assert abs(fitted.mean()) < 0.01


def test_few_bins_and_valleys_give_the_highest_bin():
    entropy = np.full((3, Y.n), np.nan)
    entropy[0, 7:9] = 0.0, 1.0
    entropy[1] = (Y.centres - 0.2) ** 2 / 8
    found = ridge(entropy, Y.centres)
    assert found[0] == Y.centres[8]
    assert found[1] == Y.centres[0]
    assert np.isnan(found[2])
