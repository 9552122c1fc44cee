"""The box of a task: by rule, or given; every sampler is told the same one."""

from dataclasses import replace

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.networks.parameters import Layout, box
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.smooth import NetworkVariables


def test_a_box_by_fan_in_is_that_of_the_inputs():
    layout = Layout(("W", "b", "k", "c", "s"), ((5, 3), (5,), (2, 5, 3, 3), (2,), (2,)))
    inputs = np.repeat([3, 3, 45, 45, 45], [15, 5, 90, 2, 2])
    np.testing.assert_allclose(box(layout, 5, "fan_in", 1.5), 1.5 / np.sqrt(inputs))


def test_a_given_box_is_that_of_both_samplers_and_on_record():
    task = load_task("spiral-classify", layers=1, width=2, points=8)
    n = task.network.n_parameters
    lo, hi = -np.arange(1.0, n + 1), np.full(n, 0.5)
    own = replace(task, lo=lo, hi=hi)
    smooth = NetworkVariables(replace(own, y="smoothed-accuracy"))
    for problem in (own.problem(), smooth.problem()):
        np.testing.assert_array_equal(problem.lo, lo)
        np.testing.assert_array_equal(problem.hi, hi)
        assert problem.about["box"] == [lo.tolist(), hi.tolist()]
    assert "box" not in task.describe()
    theta = smooth.start(np.random.default_rng(0), 100)
    middle, half = (lo + hi) / 2, (hi - lo) / 2
    assert (np.abs(theta - middle) <= 0.1 * half + 1e-12).all()


@pytest.mark.parametrize(("lo", "hi"), [(None, np.ones(3)), (-np.ones(3), np.ones(3)), (-1.0, 1.0)])
def test_a_box_of_another_network_is_refused(lo, hi):
    task = replace(load_task("spiral-classify", layers=1, width=2, points=8), lo=lo, hi=hi)
    with pytest.raises(UserError, match="for each of the 12 parameters"):
        task.problem()


def test_a_box_of_words_is_refused():
    task = replace(load_task("spiral-classify", layers=1, width=2, points=8), lo="a", hi="b")
    with pytest.raises(UserError, match="lo and hi need numbers"):
        task.problem()
