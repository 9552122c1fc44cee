"""The two samplers on one network agree within their combined error bars; see the example.

Measured with seed 0: rms 0.15 nat on a range of 27, (difference / error)^2 1.3 times what is
expected of eight right walkers. A sampler driven too fast (f_max = 5) has 3.8 times, and fails.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from wlnn.landscape import compare

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))


@pytest.mark.slow
def test_monte_carlo_and_molecular_dynamics_agree():
    import two_samplers

    first, second = two_samplers.sample_both()
    found = compare(first, second)
    both = first.reliable & second.reliable
    assert found.bins > 180
    assert np.ptp(first.entropy[both]) > 20
    assert found.chi_square < 3 * found.expected, found
    assert found.rms < 0.4, found
