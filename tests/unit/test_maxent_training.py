"""SGD on the ReLU network, and the gradient flow of infinitely wide gated ones."""

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.maxent.flow import gradient_flow, velocity
from wlnn.maxent.observables import measure, on_off
from wlnn.maxent.patterns import binary_patterns, solve_patterns
from wlnn.maxent.sampling import draw_units
from wlnn.maxent.theory import solve
from wlnn.maxent.training import default_schedule, train
from wlnn.networks.context import relu_loss, task_matrix


def test_one_step_follows_the_gradient_of_the_batch_loss():
    """theta_1 - theta_0 = -lr N dL/dtheta, with the gradient by central differences."""
    N, K, B, sigma, rate = 6, 3, 10, 0.8, 0.3

    def draws():
        rng = np.random.default_rng(3)
        w, m, a = (sigma * rng.standard_normal(shape) for shape in (N, (K, N), (K, N)))
        x = rng.standard_normal((B // 2, K))
        return w, m.T, a.T, np.concatenate([x, -x])

    w, m, a, x = draws()
    result = train(
        K, sigma, np.random.default_rng(3), units=N, batch=B, learning_rate=rate, steps=1
    )
    theta = np.concatenate([w, m.ravel(), a.ravel()])

    def loss(values):
        units = type(result.units)(
            values[:N], values[N : N + N * K].reshape(N, K), values[N + N * K :].reshape(N, K)
        )
        return relu_loss(units, x)

    assert result.losses[0] == pytest.approx(loss(theta), rel=1e-5)
    step = 1e-5
    gradient = np.array(
        [(loss(theta + step * e) - loss(theta - step * e)) / (2 * step) for e in np.eye(theta.size)]
    )
    after = np.concatenate([np.ravel(part) for part in result.units])
    np.testing.assert_allclose(after - theta, -rate * N * gradient, atol=2e-5)


def test_rich_networks_specialise_and_lazy_ones_do_not():
    short = {"units": 400, "steps": 600}
    rich = measure(train(2, 0.5, np.random.default_rng(0), learning_rate=0.2, **short).units)
    lazy = measure(train(2, 2.0, np.random.default_rng(0), learning_rate=0.1, **short).units)
    assert -0.50 < rich.c_g < -0.25
    assert rich.p[1] > 0.62
    assert rich.rho[1] > 0.88
    assert abs(lazy.c_g) < 0.15
    assert lazy.rho[1] < 0.70


def test_training_does_the_task():
    result = train(2, 1.0, np.random.default_rng(1), units=500, steps=800)
    x = np.random.default_rng(2).standard_normal((4000, 2))
    assert relu_loss(result.units, x) < 0.01
    assert result.losses[0] > 0.5


def test_default_schedule():
    assert default_schedule(1.0) == (0.2, 1200)
    assert default_schedule(2.0) == (0.1, 2400)
    assert default_schedule(4.0) == (0.025, 9600)


@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_flow_is_gradient_descent_of_a_wide_gated_network(K):
    """d/dt <x x^T> of units that move as dw = v.m, dm = w v, v = epsilon^T g, far from the task."""
    rng = np.random.default_rng(K)
    target = 0.6 * np.eye(K) + 0.25
    law = solve_patterns(*binary_patterns(K), 0.8, target=target, gains="quenched")
    N = 200_000
    units = draw_units(law, N, rng)
    g = units.g
    n = g.sum(1)
    v = g @ (np.eye(K) - task_matrix(units))
    state = np.stack([units.w, *on_off(units.m, g)])
    speed = np.stack([(v * units.m).sum(1), *on_off(units.w[:, None] * v, g)])
    p = np.bincount(n, minlength=K + 1) / N
    second, change = np.empty((2, K + 1, 3, 3))
    for size in range(K + 1):
        here = n == size
        second[size] = state[:, here] @ state[:, here].T / here.sum()
        cross = state[:, here] @ speed[:, here].T / here.sum()
        change[size] = cross + cross.T
    # contexts differ by sampling noise, which the flow averages: 2 % of the largest rate
    np.testing.assert_allclose(velocity(second, p), change, atol=0.02 * np.abs(change).max())
    assert np.abs(change).max() > 0.1


@pytest.mark.parametrize(("K", "sigma"), [(1, 0.5), (2, 0.5), (4, 1.0), (6, 2.0)])
def test_flow_ends_at_the_task_and_keeps_its_invariants(K, sigma):
    flow = gradient_flow(K, sigma)
    assert flow.loss < 1e-12
    np.testing.assert_allclose(np.linalg.det(flow.second), sigma**6, rtol=1e-5)
    on, off = flow.second[:, 1, 1], flow.second[:, 2, 2]
    # at the start on + off - w^2 is sigma^2; the quenched law keeps it too, and not the determinant
    np.testing.assert_allclose(on + off - flow.second[:, 0, 0], sigma**2, rtol=1e-6)
    assert flow.rho[0] == 0
    assert flow.rho_bar > solve(K, sigma, gains="quenched").rho_bar


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"contexts": 0}, "contexts = 0"),
        ({"weight_scale": -1}, "weight scale = -1"),
        ({"units": 0}, "units = 0"),
        ({"steps": 0}, "steps = 0"),
        ({"batch": 5}, "even number"),
        ({"learning_rate": 0}, "learning rate = 0"),
        ({"learning_rate": 500, "steps": 200}, "diverged"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(options, said):
    call = {
        "contexts": 2,
        "weight_scale": 1,
        "rng": np.random.default_rng(0),
        "units": 50,
    } | options
    with pytest.raises(UserError, match=said):
        train(**call)


def test_the_trained_task_matrix_is_that_of_the_task():
    units = train(2, 0.5, np.random.default_rng(0), units=600, steps=800).units
    M = task_matrix(units)  # hard gains: the ReLU's soft gains differ, by a quarter at most
    np.testing.assert_allclose(M, np.eye(2), atol=0.35)
    assert M[0, 0] > 3 * abs(M[0, 1])
