"""What the sampler is timed against: the same Wang-Landau walk written in other ways.

Every peer starts from the same :class:`Start` and offers ``walk`` (given proposals, to be compared)
and ``run`` (its own steps, to be timed). None of them is used by the package.
"""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from wlnn.backend.binning import binning
from wlnn.networks.compiled import moves
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task
from wlnn.wlmc import definition, driver, rules

SOURCE = Path(__file__).with_name("wlmc_peer.cpp")
LN_F = 1e-4  # of timed steps


class Start(NamedTuple):
    """Where every peer starts: a walker's state after a short run."""

    task: Task
    problem: Problem
    theta: np.ndarray  # (P,)
    entropy: np.ndarray  # (nx, ny)
    visits: np.ndarray  # (nx, ny)
    step_width: float  # of the box


def _rng() -> np.ndarray:
    return np.random.SeedSequence(1).generate_state(4, np.uint64)


@njit(nogil=True)
def _walk(system, theta, index, value, accept, x, y):
    """Given proposals through the functions that the driver calls."""
    moves.refresh(system, theta)
    for t in range(index.size):
        loss, y[t] = moves.propose(system, theta, index[t], value[t])
        x[t] = moves.x_value(system, loss)
        if accept[t]:
            moves.commit(system, theta, index[t], value[t])
            theta[index[t]] = value[t]


class Compiled:
    """wlnn as it samples: ``wlmc.driver.wlmc_stage`` on the network system."""

    def __init__(self, start: Start, precision: str):
        self.system = start.problem.system(precision)
        self.start, self.theta = start, start.theta.copy()
        self.entropy, self.rng = start.entropy.copy(), _rng()
        self.histogram = np.zeros(start.problem.grid.shape, np.int64)
        self.bins = binning(start.problem.grid)

    def walk(self, index, value, accept):
        """x and y ``(n,)`` of given proposals."""
        x, y = np.empty(index.size), np.empty(index.size)
        _walk(self.system, self.start.theta.copy(), index, value, accept, x, y)
        return x, y

    def run(self, n: int) -> None:
        """``n`` steps."""
        problem = self.start.problem
        driver.wlmc_stage(
            self.system, self.theta, problem.lo, problem.hi, self.bins, self.entropy,
            self.histogram, self.start.visits, np.zeros((0, 0)),
            rules.Stage(n, LN_F, rules.STEP_FIXED, rules.NEW_BIN_NEARBY, 0, self.bins.nx - 1),
            rules.Chain(self.start.step_width, 0), self.rng, np.zeros(1, np.uint8),
        )  # fmt: skip


class Definition:
    """wlnn's readable definition, ``definition.stage_numpy`` with ``Task.observe``."""

    def __init__(self, start: Start):
        self.start, self.theta = start, start.theta.copy()
        self.problem, self.entropy, self.rng = start.problem, start.entropy.copy(), _rng()
        self.histogram = np.zeros(start.problem.grid.shape, np.int64)

    def walk(self, index, value, accept):
        """x and y ``(n,)`` of given proposals."""
        theta = self.start.theta.copy()
        found = np.empty((index.size, 2))
        for t in range(index.size):
            old, theta[index[t]] = theta[index[t]], value[t]
            found[t] = self.problem.observe(theta)
            if not accept[t]:
                theta[index[t]] = old
        return found[:, 0], found[:, 1]

    def run(self, n: int) -> None:
        """``n`` steps."""
        rows = self.problem.grid.x.n
        definition.stage_numpy(
            self.problem, self.theta, self.entropy, self.histogram, self.start.visits,
            np.zeros((0, 0)),
            rules.Stage(n, LN_F, rules.STEP_FIXED, rules.NEW_BIN_NEARBY, 0, rows - 1),
            rules.Chain(self.start.step_width, 0), self.rng, np.zeros(1, np.uint8),
        )  # fmt: skip


class LeanNumpy(Definition):
    """The same walk with one full forward pass of as few NumPy calls as possible."""

    def __init__(self, start: Start):
        super().__init__(start)
        data, network = start.task.data, start.task.network
        inputs = np.concatenate([data.x_train, data.x_test])
        sign = np.where(np.concatenate([data.y_train, data.y_test]) == 1, -1.0, 1.0)
        n_train, activation = len(data.x_train), network.activation

        def observe(theta):
            tensors = network.layout.views(theta)
            h = inputs
            for W, b in zip(tensors[:-2:2], tensors[1:-2:2], strict=True):
                h = h @ W.T
                h += b
                h = np.maximum(h, 0.0, out=h) if activation == "relu" else np.tanh(h, out=h)
            W, b = tensors[-2:]
            m = sign * (h @ (W[1] - W[0]) + (b[1] - b[0]))
            loss = np.logaddexp(0.0, m[:n_train]).sum() / n_train
            right = np.count_nonzero(m[n_train:] < 0)
            return math.log(loss), right / (sign.size - n_train)

        self.problem = Problem(
            "lean", start.problem.lo, start.problem.hi, start.problem.grid, observe
        )


@njit(nogil=True)
def _naive_observe(theta, sizes, inputs, labels, n_train, tanh, h, above):
    """Loss and accuracy, one scalar at a time."""
    loss, right = 0.0, 0
    for sample in range(inputs.shape[0]):
        for c in range(sizes[0]):
            h[c] = inputs[sample, c]
        at = 0
        for layer in range(1, sizes.size):
            n_in, n_out = sizes[layer - 1], sizes[layer]
            for r in range(n_out):
                z = theta[at + n_in * n_out + r]
                for c in range(n_in):
                    z += theta[at + r * n_in + c] * h[c]
                if layer < sizes.size - 1:
                    z = math.tanh(z) if tanh else max(z, 0.0)
                above[r] = z
            for r in range(n_out):
                h[r] = above[r]
            at += (n_in + 1) * n_out
        m = h[0] - h[1] if labels[sample] == 1 else h[1] - h[0]
        if sample < n_train:
            loss += math.log1p(math.exp(m)) if m < 0.0 else m + math.log1p(math.exp(-m))
        elif m < 0.0:
            right += 1
    return math.log(loss / n_train), right / (inputs.shape[0] - n_train)


@njit(nogil=True)
def _naive_run(n, ln_f, step, lo, hi, x_lo, per_bin, entropy, histogram, seed, theta, network):
    """Textbook loop around :func:`_naive_observe`; every bin is known."""
    if seed >= 0:
        np.random.seed(seed)
    n_test = entropy.shape[1] - 1
    x, y = _naive_observe(theta, *network)
    row, column = int((x - x_lo) * per_bin), int(y * n_test + 0.5)
    for _ in range(n):
        i = np.random.randint(theta.size)
        old = theta[i]
        new = old + step * (hi[i] - lo[i]) * (2.0 * np.random.random() - 1.0)
        if lo[i] <= new <= hi[i]:
            theta[i] = new
            x, y = _naive_observe(theta, *network)
            place = (x - x_lo) * per_bin
            accepted = False
            if place >= 0.0 and place < entropy.shape[0]:
                new_row, new_column = int(place), int(y * n_test + 0.5)
                difference = entropy[row, column] - entropy[new_row, new_column]
                if np.random.random() < math.exp(min(0.0, difference)):
                    row, column, accepted = new_row, new_column, True
            if not accepted:
                theta[i] = old
        entropy[row, column] += ln_f
        histogram[row, column] += 1


class Naive(Definition):
    """Scalar loops compiled by Numba, a full forward pass at every step, float64."""

    def __init__(self, start: Start):
        super().__init__(start)
        data, network = start.task.data, start.task.network
        sizes = np.array(network.sizes)
        self.network = (
            sizes,
            np.concatenate([data.x_train, data.x_test]),
            np.concatenate([data.y_train, data.y_test]),
            len(data.x_train),
            network.activation == "tanh",
            np.empty(sizes.max()),
            np.empty(sizes.max()),
        )
        real = start.problem
        self.problem = Problem(
            "naive", real.lo, real.hi, real.grid, lambda theta: _naive_observe(theta, *self.network)
        )
        self.seed = 1

    def run(self, n: int) -> None:
        """``n`` steps."""
        x = self.problem.grid.x
        _naive_run(
            n, LN_F, self.start.step_width, self.problem.lo, self.problem.hi, x.lo, x.per_bin,
            self.entropy, self.histogram, self.seed, self.theta, self.network,
        )  # fmt: skip
        self.seed = -1


class Torch(Definition):
    """An eager PyTorch program, one thread, float32, as one would write it."""

    def __init__(self, start: Start):
        import torch

        super().__init__(start)
        torch.set_num_threads(1)
        data, network = start.task.data, start.task.network
        layers = []
        for n_in, n_out in zip(network.sizes[:-1], network.sizes[1:], strict=True):
            kind = torch.nn.ReLU if network.activation == "relu" else torch.nn.Tanh
            layers += [torch.nn.Linear(n_in, n_out), kind()]
        model = torch.nn.Sequential(*layers[:-1])
        cross_entropy = torch.nn.CrossEntropyLoss()
        x_train, x_test = (
            torch.tensor(x, dtype=torch.float32) for x in (data.x_train, data.x_test)
        )
        y_train, y_test = (torch.tensor(y) for y in (data.y_train, data.y_test))
        flat = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        at = 0
        for parameter in model.parameters():  # views: one write changes the network
            parameter.data = flat[at : at + parameter.numel()].view(parameter.shape)
            at += parameter.numel()
        known = np.full(flat.numel(), np.nan)

        def observe(theta):
            with torch.no_grad():
                for i in np.flatnonzero(known != theta):
                    flat[i] = known[i] = theta[i]
                loss = cross_entropy(model(x_train), y_train).item()
                right = (model(x_test).argmax(1) == y_test).sum().item()
            return math.log(loss), right / len(y_test)

        self.problem = Problem(
            "torch", start.problem.lo, start.problem.hi, start.problem.grid, observe
        )


class _Grid(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_int64),
        ("edges", ctypes.c_void_p),
        ("guess", ctypes.c_void_p),
        ("guess_first", ctypes.c_int64),
    ]


def compiler() -> str | None:
    """The C++ compiler there is, if any."""
    return next((name for name in ("g++", "clang++") if shutil.which(name)), None)


class Cpp:
    """``wlmc_peer.cpp``, compiled for a processor (``march``) and this shape."""

    def __init__(self, start: Start, precision: str, folder: Path, march: str = "native"):
        data, network = start.task.data, start.task.network
        self.start, self.rng = start, _rng()
        self.histogram = np.zeros(start.problem.grid.shape, np.int64)
        self.entropy = start.entropy.copy()
        self.bins = binning(start.problem.grid)
        single = precision == "float32"
        macros = {
            "REAL": "float" if single else "double",
            "BITS": 32 if single else 64,
            "DEPTH": len(network.sizes) - 2,
            "WIDTH": network.width,
            "TANH": int(network.activation == "tanh"),
            "TRAIN": len(data.x_train),
            "TEST": len(data.x_test),
        }
        path = folder / ("_".join(map(str, macros.values())) + ".so")
        subprocess.run(
            [
                compiler(), "-std=c++17", "-O3", f"-march={march}", "-ffp-contract=fast", "-shared",
                "-fPIC", *(f"-D{name}={value}" for name, value in macros.items()), SOURCE,
                "-o", path,
            ],
            check=True,
        )  # fmt: skip
        self.library = ctypes.CDLL(str(path))
        self.library.peer_make.restype = ctypes.c_void_p
        assert self.library.peer_parameters() == start.theta.size
        self.inputs = np.concatenate([data.x_train, data.x_test])
        self.labels = np.concatenate([data.y_train, data.y_test]).astype(np.int64)
        self.walker = self._make()

    def _make(self):
        arrays = (self.inputs, self.labels, self.start.theta)
        return ctypes.c_void_p(self.library.peer_make(*map(_pointer, arrays)))

    def walk(self, index, value, accept):
        """x and y ``(n,)`` of given proposals."""
        loss, right = np.empty(index.size), np.empty(index.size, np.int64)
        walker = self._make()
        arrays = (index, value, accept.astype(np.uint8), loss, right)
        self.library.peer_walk(walker, ctypes.c_int64(index.size), *map(_pointer, arrays))
        self.library.peer_free(walker)
        return np.log(loss), right / len(self.start.task.data.y_test)

    def run(self, n: int) -> None:
        """``n`` steps."""
        problem, bins = self.start.problem, self.bins
        grid = _Grid(bins.nx, bins.exp_limits.address, bins.guess.address, bins.guess_first)
        counters = np.zeros(4, np.int64)
        self.library.peer_run(
            self.walker, ctypes.c_int64(n), ctypes.c_double(LN_F),
            ctypes.c_double(self.start.step_width),
            _pointer(problem.lo), _pointer(problem.hi), grid,
            *map(_pointer, (self.entropy, self.histogram, self.start.visits, self.rng, counters)),
        )  # fmt: skip


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
