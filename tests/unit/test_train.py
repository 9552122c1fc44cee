"""Trainings: gradients, update rules by hand, initialisation, divergence, the same bits always."""

import math
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks import losses
from wlnn.networks.fnn import FNN
from wlnn.networks.images import CNN, ResNet10
from wlnn.settings.tables import TrainSettings, read_table
from wlnn.settings.training import INITIALISATIONS
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.task import Task
from wlnn.training import train
from wlnn.training.run import parts_of, train_many

GRID = Grid(Axis("ln train loss", -5, 1, 6), Axis("ln test loss", -5, 1, 6))
EXACT = TrainSettings(precision="float64", runs=1, epochs=5, learning_rate=0.1)


def line(sizes=(1, 1), rows=2):
    """y = w x + b, or a deeper network, on few points."""
    x = np.arange(1.0, rows + 1)[:, None]
    y = np.array([1.0, -1.0, 0.5, 2.0, 0.0])[:rows]
    return Task(
        "line", Dataset(x, y, x, y, {}), FNN(sizes), GRID, y="ln-test-loss", loss="squared-error"
    )


def by_hand(theta):
    """Gradient of ((w - 1 + b)^2 + (2 w + b + 1)^2) / 2 by (w, b)."""
    w, b = theta
    first, second = w + b - 1, 2 * w + b + 1
    return np.array([first + 2 * second, first + second])


def steps(settings, start, n):
    """Parameters after 0..n steps of one training of the line on all rows."""
    plan = train.make_plan(line(), settings)
    state = train.start(plan, [0])
    state.theta[0] = start
    found = [state.theta[0].copy()]
    for _ in range(n):
        state = train.advance(plan, state)
        found.append(state.theta[0].copy())
    return np.array(found)


def test_plain_sgd_by_hand():
    found = steps(replace(EXACT, optimizer="sgd"), (0.5, -0.25), 3)
    theta = np.array([0.5, -0.25])
    assert by_hand(theta) == pytest.approx([-0.75 + 3.5, -0.75 + 1.75])
    for k in range(4):
        np.testing.assert_allclose(found[k], theta, rtol=1e-14)
        theta = theta - 0.1 * by_hand(theta)


def test_momentum_by_hand():
    found = steps(replace(EXACT, optimizer="sgd", momentum=0.9), (0.5, -0.25), 3)
    theta, velocity = np.array([0.5, -0.25]), 0
    for k in range(4):
        np.testing.assert_allclose(found[k], theta, rtol=1e-14)
        velocity = 0.9 * velocity + by_hand(theta)
        theta = theta - 0.1 * velocity


def test_adam_by_hand():
    """The algorithm as it is printed; its first step is about lr in every direction."""
    settings = replace(EXACT, optimizer="adam", beta1=0.8, beta2=0.95, epsilon=1e-3)
    found = steps(settings, (0.5, -0.25), 3)
    theta, m, v = np.array([0.5, -0.25]), 0, 0
    for t in range(1, 5):
        np.testing.assert_allclose(found[t - 1], theta, rtol=1e-13)
        g = by_hand(theta)
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        m_hat, v_hat = m / (1 - 0.8**t), v / (1 - 0.95**t)
        theta = theta - 0.1 * m_hat / (np.sqrt(v_hat) + 1e-3)
    np.testing.assert_allclose(found[1] - found[0], -0.1, rtol=1e-3)


@pytest.mark.parametrize("cut", [False, True])
def test_running_mean_of_the_epoch(cut):
    """ln of the mean of (w x + b - y)^2 over the rows, each before the step that it makes."""
    settings = replace(EXACT, optimizer="sgd", batch_size=2, train_loss="running-mean")
    plan = train.make_plan(line(rows=3), settings)  # minibatches of two rows and of one
    state = train.start(plan, [0])
    w, b = state.theta[0]
    at_end = train.measure(plan, state.theta)["ln-train-loss"]
    assert state.records["ln-train-loss"][:, 0] == at_end  # nothing has run yet
    order = train.generator(settings, 0, 1).permutation(3)
    stops = iter([True, False])
    state = train.advance(plan, state, (lambda: next(stops)) if cut else (lambda: False))
    if cut:
        assert state.batch == 1
        state = train.advance(plan, train.copied(state))
    total = 0
    for rows in (order[:2], order[2:]):
        x, y = np.array([1.0, 2.0, 3.0])[rows], np.array([1.0, -1.0, 0.5])[rows]
        error = w * x + b - y
        total += (error**2).sum()
        w, b = w - 0.1 * 2 * (error * x).mean(), b - 0.1 * 2 * error.mean()
    np.testing.assert_allclose(state.theta[0], [w, b], rtol=1e-13)
    assert state.records["ln-train-loss"][0, 1] == pytest.approx(math.log(total / 3), rel=1e-13)


@pytest.mark.parametrize("logits", [-3, 0, 1, 2, 3])
def test_gradient_with_rows_of_ones_own(logits, rng):
    """Every training has its own rows: central differences of its own loss.

    0 logits: squares of one target; -3: of three.
    """
    R, B, outputs = 3, 4, abs(logits) or 1
    network = FNN((2, 5, outputs), "tanh")
    x = rng.normal(size=(R, B, 2))
    labels = rng.integers(0, max(outputs, 2), (R, B))
    y = labels if logits > 0 else rng.normal(size=(R, B, outputs)[: 3 if logits else 2])
    truth = np.arange(B) % max(outputs, 2) if logits > 0 else y[0]
    data = Dataset(x[0], truth, x[0], truth, {})
    kind = ("test-accuracy", "cross-entropy") if logits > 0 else ("ln-test-loss", "squared-error")
    plan = train.make_plan(Task("t", data, network, GRID, *kind), EXACT)
    theta = rng.normal(size=(R, network.n_parameters))
    found, _ = train.gradient(plan, theta, x, y)
    function = losses.cross_entropy if logits > 0 else losses.squared_error

    def loss(r, values):
        outputs, _ = network.forward(np, values[None], x[r])
        return function(np, outputs, y[r])[0]

    for r in range(R):
        for k in range(network.n_parameters):
            step = np.zeros(network.n_parameters)
            step[k] = 1e-6
            slope = (loss(r, theta[r] + step) - loss(r, theta[r] - step)) / 2e-6
            assert found[r, k] == pytest.approx(slope, abs=1e-8)


def test_an_epoch_visits_every_row_once_in_an_order_of_its_own(monkeypatch):
    task, seen = line(rows=5), []
    plan = train.make_plan(task, replace(EXACT, optimizer="sgd", batch_size=2))
    right = train.gradient
    monkeypatch.setattr(
        train, "gradient", lambda plan, theta, x, y: (seen.append(x), right(plan, theta, x, y))[1]
    )
    state = train.advance(plan, train.start(plan, range(4)))
    train.advance(plan, state)
    assert [x.shape for x in seen] == [(4, 2, 1), (4, 2, 1), (4, 1, 1)] * 2
    orders = [np.concatenate(seen[k : k + 3], axis=1)[..., 0] for k in (0, 3)]
    for order in orders:
        assert (np.sort(order, axis=1) == [1, 2, 3, 4, 5]).all()
    assert len({tuple(row) for order in orders for row in order}) > 4


def test_initialisations():
    network = FNN((400, 300, 1))
    W0, b0, W1, b1 = (
        slice(at, at + math.prod(shape))
        for at, shape in zip(network.layout.offsets, network.layout.shapes, strict=True)
    )

    def draw(rule):
        return train.initial(network, rule, np.random.default_rng(0))

    rules = ("xavier-uniform", "kaiming-normal", "fan-in", "kaiming-weights", "small-head")
    xavier, kaiming, fan_in, weights, head = map(draw, rules)
    for theta in (xavier, kaiming):
        assert not theta[b0].any()
        assert not theta[b1].any()
    assert np.abs(xavier[W0]).max() == pytest.approx(math.sqrt(6 / 700), rel=1e-3)
    assert xavier[W0].var() == pytest.approx(2 / 700, rel=0.02)
    assert kaiming[W0].std() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert np.abs(kaiming[W0]).max() > 3.5 * math.sqrt(2 / 400)
    for part, inputs in ((W0, 400), (b0, 400), (W1, 300), (b1, 300)):
        assert np.abs(fan_in[part]).max() <= inputs**-0.5
    assert np.abs(fan_in[b0]).max() > 0.97 * 400**-0.5
    assert weights[W0].std() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert 0.97 * 400**-0.5 < np.abs(weights[b0]).max() <= 400**-0.5
    assert 0 < np.abs(weights[b1]).max() <= 300**-0.5
    np.testing.assert_array_equal(head[: W1.start], fan_in[: W1.start])
    assert head[W1].std() == pytest.approx(1e-3, rel=0.1)


IMAGE_NETWORKS = [
    CNN(2, (1, 8, 8), 3),
    ResNet10((2, 3), (1, 8, 8), 3),
]


def images(network, rng):
    """Random images (10, 1, 8, 8) of three classes, told apart by their brightness."""
    y = np.arange(10) % 3
    x = rng.normal(size=(10, 1, 8, 8)) + 2 * y[:, None, None, None]
    return Task("images", Dataset(x, y, x, y, {}), network, GRID, "smoothed-accuracy")


@pytest.mark.parametrize("network", IMAGE_NETWORKS, ids=["CNN", "ResNet10"])
def test_image_networks_are_trained_on_the_leading_axis(network, rng):
    """Together and one by one they take the same steps, in minibatches of their own, and learn."""
    settings = replace(EXACT, optimizer="adam", learning_rate=0.01, batch_size=4, runs=3, epochs=8)
    together = train_many(images(network, rng), replace(settings, together=3))
    alone = train_many(images(network, np.random.default_rng(0)), replace(settings, together=1))
    for name, values in together.records.items():
        np.testing.assert_allclose(values, alone.records[name], rtol=1e-7, err_msg=name)
    x = together.records["ln-train-loss"]
    assert (x[:, -1] < x[:, 0]).all()


@pytest.mark.parametrize("rule", INITIALISATIONS)
def test_norms_start_as_the_identity(rule, rng):
    network = IMAGE_NETWORKS[1]
    theta = train.initial(network, rule, rng)
    tensors = dict(zip(network.layout.names, network.layout.views(theta), strict=True))
    norms = [name for name in tensors if name.endswith((".scale", ".shift"))]
    assert len(norms) == 8
    for name in norms:
        assert (tensors[name] == name.endswith(".scale")).all()
    kernel = tensors["block0.conv0.W"]  # 2 -> 2 channels of 3 x 3: 18 inputs, 18 outputs
    bound = {"xavier-uniform": (6 / 36) ** 0.5}.get(rule, 2.0 if "kaiming" in rule else 18**-0.5)
    assert 0.5 * min(bound, 0.4) < np.abs(kernel).max() < bound


def test_records_are_those_of_the_task(tiny_task):
    """What is recorded of the last epoch is what the task says of the parameters."""
    plan = train.make_plan(tiny_task, replace(EXACT, batch_size=3))
    state = train.advance(plan, train.start(plan, range(3)))
    x, y = tiny_task.observe(state.theta)
    np.testing.assert_allclose(state.records["ln-train-loss"][:, 1], x)
    np.testing.assert_array_equal(state.records["test-accuracy"][:, 1], y)
    smooth = replace(tiny_task, y="smoothed-accuracy").observe(state.theta)[1]
    np.testing.assert_allclose(state.records["smoothed-accuracy"][:, 1], smooth)
    assert np.isnan(state.records["test-accuracy"][:, 2:]).all()


def test_sets_are_evaluated_in_parts_alike(tiny_task, monkeypatch):
    plan = train.make_plan(tiny_task, EXACT)
    theta = train.start(plan, range(3)).theta
    whole = train.measure(plan, theta)
    monkeypatch.setattr(train, "EVALUATED", 2 * 3 * 3)  # three rows at a time
    for name, values in train.measure(plan, theta).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-13)


def test_a_diverged_training_is_named_and_leaves_the_others_alone(tiny_task):
    plan = train.make_plan(tiny_task, replace(EXACT, batch_size=3))

    def run(spoil):
        state = train.start(plan, range(3))
        for epoch in range(4):
            if epoch == 1 and spoil is not None:
                state.theta[1, 0] = spoil
            state = train.advance(plan, state)
        return state

    right = run(None)
    assert (right.diverged == -1).all()
    for spoil in (np.nan, np.inf, 1e9):
        wrong = run(spoil)
        np.testing.assert_array_equal(wrong.diverged, [-1, 2, -1])
        assert np.isnan(wrong.records["ln-train-loss"][1, 2:5]).all()
        assert not wrong.theta[1].any()
        np.testing.assert_array_equal(wrong.theta[[0, 2]], right.theta[[0, 2]])


def test_a_large_learning_rate_diverges_and_is_left_out():
    settings = replace(EXACT, optimizer="sgd", learning_rate=10.0, runs=4, epochs=40)
    trained = train_many(line(), settings)
    assert (trained.diverged > 0).all()
    with pytest.raises(UserError, match="smaller learning rate"):
        trained.curve("ln-test-loss")


@pytest.fixture
def short():
    return TrainSettings(runs=5, epochs=4, batch_size=3, together=2, seed=3)


def assert_same(first, second):
    np.testing.assert_array_equal(first.diverged, second.diverged)
    assert first.records.keys() == second.records.keys()
    for name, values in first.records.items():
        np.testing.assert_array_equal(values, second.records[name], err_msg=name)


def test_the_seed_and_the_number_of_a_training_decide_its_bits(tiny_task, short):
    first = train_many(tiny_task, short)
    assert_same(first, train_many(tiny_task, short))
    x = first.records["ln-train-loss"]
    assert len(np.unique(x[:, 0])) == 5
    other = train_many(tiny_task, replace(short, seed=4)).records["ln-train-loss"]
    assert not np.isin(other, x).any()


def test_processes_give_the_same_bits(tiny_task, short, tmp_path):
    done = []
    found = train_many(tiny_task, short, tmp_path / "run", 2, lambda told: done.append(told.part))
    assert_same(found, train_many(tiny_task, short))
    assert_same(found, train_many(tiny_task, short, tmp_path / "run"))  # as it is on disk
    assert done[-1] == 1


@pytest.mark.parametrize("batches", [1, 3, 4, 11, 23])
def test_interrupted_at_any_minibatch_and_resumed_gives_the_same_bits(
    batches, tiny_task, short, tmp_path, monkeypatch
):
    right, calls, flag = train.gradient, [], np.zeros(1)

    def stops(plan, theta, x, y):
        calls.append(1)
        flag.fill(len(calls) >= batches)
        return right(plan, theta, x, y)

    monkeypatch.setattr(train, "gradient", stops)
    monkeypatch.setattr("wlnn.training.run.stoppable", lambda: nullcontext(flag))
    with pytest.raises(Interrupted):
        train_many(tiny_task, short, tmp_path / "run")
    assert len(calls) == batches  # stopped at once
    assert not (tmp_path / "run" / "trained.npz").exists()
    monkeypatch.undo()
    resumed = train_many(tiny_task, short, tmp_path / "run")
    assert_same(resumed, train_many(tiny_task, short))


def test_checkpoints_of_other_trainings_are_refused(tiny_task, short, tmp_path):
    train_many(tiny_task, short, tmp_path)
    with pytest.raises(UserError, match=r"train.seed is 3 there and 4 here"):
        train_many(tiny_task, replace(short, seed=4), tmp_path)
    (tmp_path / "trained.npz").unlink()
    (tmp_path / "trainings-001.npz").replace(tmp_path / "trainings-000.npz")
    with pytest.raises(UserError, match=r"trainings-000.npz: is not the checkpoint of trainings"):
        train_many(tiny_task, short, tmp_path)


def test_parts_depend_on_the_settings_alone():
    settings = TrainSettings(runs=100)
    sizes = [part.last - part.first for part in parts_of(settings, 1051, None)]
    assert sizes == [25] * 4
    assert len(parts_of(settings, 10**6, None)) == 100
    assert len(parts_of(replace(settings, together=60), 10**6, None)) == 2


def test_networks_that_cannot_be_trained_are_refused(tiny_task):
    class Bare:
        n_parameters = 2

        def forward(self, xp, theta, x):
            return np.zeros((len(theta), len(x), 2)), None

    task = Task("bare", tiny_task.data, Bare(), tiny_task.grid)
    with pytest.raises(UserError, match=r"'bare': its network has no 'layout'"):
        train_many(task, TrainSettings())


def test_tables_hold_the_published_hyper_parameters():
    """Supplement, and the nearest width for others."""
    published = {30: (2e-3, 5), 100: (5e-3, 10), 300: (2e-3, 5), 1000: (2e-3, 10)}
    for width, numbers in published.items():
        for settings in (
            read_table("spiral-regress", width=width).train,
            read_table("spiral-regress", overrides=[f"network.width={width}"]).train,
        ):
            assert (settings.learning_rate, settings.batch_size) == numbers
            assert (settings.optimizer, settings.initialisation) == ("adam", "kaiming-weights")
    assert read_table("spiral-regress", width=60).train.batch_size == 10
    quick = read_table("spiral-classify", "quick").train
    assert (quick.runs, quick.learning_rate) == (20, 1e-3)


def test_training_learns_the_spiral_surface():
    """The loss of the best constant answer, ln L = -0.7, is left far behind."""
    task = load_task("spiral-regress", points=50)
    settings = replace(read_table("spiral-regress").train, runs=8, epochs=120)
    x, _ = train_many(task, settings).last("ln-test-loss")
    assert x.mean() < -1.5


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("kind", ["spiral-classify", "spiral-regress"])
def test_fifty_steps_of_pytorch(kind, optimizer):
    """Parameters after each of 50 minibatch steps of torch.optim agree to 1e-6."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    task = load_task(kind, points=40)
    momentum = 0.9 if optimizer == "momentum" else 0.0
    name = "adam" if optimizer == "adam" else "sgd"
    settings = replace(
        EXACT, optimizer=name, momentum=momentum, learning_rate=5e-3, batch_size=8, epochs=10
    )
    plan = train.make_plan(task, settings)
    state = train.start(plan, [0])
    tensors = [torch.tensor(v[0].copy()) for v in task.network.layout.views(state.theta)]
    weights = [tensor.requires_grad_() for tensor in tensors]
    other = (
        torch.optim.Adam(weights, lr=5e-3)
        if optimizer == "adam"
        else torch.optim.SGD(weights, lr=5e-3, momentum=momentum)
    )
    x = torch.tensor(task.data.x_train)
    y = torch.tensor(task.data.y_train)
    steps = 0
    for epoch in range(1, 11):
        order = train.generator(settings, 0, epoch).permutation(40)
        for first in range(0, 40, 8):
            rows = order[first : first + 8]
            h = x[rows]
            for k in range(0, len(weights), 2):
                h = torch.nn.functional.linear(h, weights[k], weights[k + 1])
                h = torch.relu(h) if k + 2 < len(weights) else h
            loss = (
                torch.nn.functional.cross_entropy(h, y[rows])
                if task.data.classes
                else torch.nn.functional.mse_loss(h[:, 0], y[rows])
            )
            other.zero_grad()
            loss.backward()
            other.step()
            stops = iter([True])
            state = train.advance(plan, state, lambda stops=stops: next(stops))
            if first + 8 < 40:
                assert state.batch == first // 8 + 1
            theirs = np.concatenate([w.detach().numpy().ravel() for w in weights])
            np.testing.assert_allclose(state.theta[0], theirs, rtol=0, atol=1e-6)
            steps += 1
    assert steps == 50
