"""The two samplers on one network agree within their combined error bars; see the example.

Measured with seed 0: rms 0.11 nat on a range of 27, (difference / error)^2 half of what is expected
of four and four right walkers. Molecular dynamics driven too fast (f_max = 5) had 3.8 times what is
expected, and would fail.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from wlnn.landscape.compare import compare

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
