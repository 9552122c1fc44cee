"""The same step by each library: ln losses of R networks, and the gradient of ux x + uy y.

What is right is in ``force_case.py``; nothing is compared or timed here. PyTorch and JAX
are loaded by who needs them.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from peers.force_case import Case

from wlnn.backend.device import CPU
from wlnn.tasks.field import field_of


class MissingError(RuntimeError):
    """A peer that cannot run here, in one sentence."""


class Peer(NamedTuple):
    """A step of a peer on one case; all that it makes stays where it was made."""

    step: object  # function: x (R,), y (R,), the gradient in parts of its own
    host: object  # function of those: x, y, gradient (R, P) in NumPy
    wait: object  # function of those: returns when all that was asked for is done


def own(case: Case, device) -> Peer:
    """This package's text, which CuPy runs on a card and NumPy on the CPU, in single precision."""
    where, xp = (CPU, np) if device is None else (device, device.xp)
    if device is None:
        evaluate, backward = case.problem.elsewhere(np.asarray)
    else:
        _, evaluate, backward, *_ = field_of(case.problem, device)
    theta, ux, uy = map(where.put, (case.theta, *case.weights))

    def step():
        x, y, _, tape = evaluate(xp, theta)
        return x, y, backward(xp, tape, ux, uy)

    return Peer(step, lambda found: map(where.host, found), lambda found: where.host(found[0]))


def _torch(device):
    """PyTorch and the name of its device; products in single precision, not TF32."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingError("PyTorch is not installed: pip install torch") from error
    if device is not None and not torch.cuda.is_available():
        raise MissingError(f"this PyTorch ({torch.__version__}) finds no CUDA device")
    torch.set_float32_matmul_precision("highest")
    return torch, "cpu" if device is None else device.name


def _arrays(case: Case, torch, name: str):
    """Data and weights as tensors."""
    single = (torch.tensor(part, dtype=torch.float32, device=name) for part in case.data)
    return *single, [torch.tensor(part, dtype=torch.float32, device=name) for part in case.weights]


def _waiting(torch, name: str):
    return (lambda found: None) if name == "cpu" else (lambda found: torch.cuda.synchronize())


def one_by_one(case: Case, device) -> Peer:
    """Modules of PyTorch, one after another, as published code has one."""
    torch, name = _torch(device)
    from torch import nn

    x_train, y_train, x_test, y_test, _ = _arrays(case, torch, name)
    weights, models = [part.tolist() for part in case.weights], []
    for r in range(len(case.theta)):
        modules = []
        for W, b in zip(case.layers[::2], case.layers[1::2], strict=True):
            modules += [nn.Linear(W.shape[2], W.shape[1], device=name), nn.ReLU()]
            with torch.no_grad():
                modules[-2].weight.copy_(torch.from_numpy(W[r]))
                modules[-2].bias.copy_(torch.from_numpy(b[r]))
        models.append(nn.Sequential(*modules[:-1]))

    def step():
        found = []
        for r, model in enumerate(models):
            model.zero_grad()
            x = nn.functional.mse_loss(model(x_train)[:, 0], y_train).log()
            y = nn.functional.mse_loss(model(x_test)[:, 0], y_test).log()
            (weights[0][r] * x + weights[1][r] * y).backward()
            found.append((x.detach(), y.detach()))
        x, y = map(torch.stack, zip(*found, strict=True))
        return x, y, [[part.grad for part in model.parameters()] for model in models]

    def host(found):
        x, y, parts = found
        gradient = [torch.cat([part.ravel() for part in model]) for model in parts]
        return [part.cpu().numpy() for part in (x, y, torch.stack(gradient))]

    return Peer(step, host, _waiting(torch, name))


def _batched(case: Case, device):
    """PyTorch, its device, the leaves, a function of them with x, y and ux x + uy y, and host."""
    torch, name = _torch(device)
    x_train, y_train, x_test, y_test, (ux, uy) = _arrays(case, torch, name)
    leaves = [torch.tensor(part, device=name, requires_grad=True) for part in case.layers]
    walkers, n = len(case.theta), len(x_train)
    rows = torch.cat([x_train, x_test]).expand(walkers, -1, -1)

    def values(*leaves):
        h, last = rows, len(leaves) - 2
        for k in range(0, len(leaves), 2):
            h = torch.baddbmm(leaves[k + 1][:, None], h, leaves[k].transpose(1, 2))
            h = h if k == last else torch.relu(h)
        x = (h[:, :n, 0] - y_train).square().mean(1).log()
        y = (h[:, n:, 0] - y_test).square().mean(1).log()
        return x, y, (ux * x + uy * y).sum()

    def host(found):
        x, y, parts = found
        gradient = torch.cat([part.reshape(walkers, -1) for part in parts], 1)
        return [part.detach().cpu().numpy() for part in (x, y, gradient)]

    return torch, name, leaves, values, host


def _by_autograd(torch, leaves, values):
    def step():
        x, y, sums = values(*leaves)
        return x.detach(), y.detach(), torch.autograd.grad(sums, leaves)

    return step


def one_batch(case: Case, device) -> Peer:
    """All networks at once, by batched products."""
    torch, name, leaves, values, host = _batched(case, device)
    return Peer(_by_autograd(torch, leaves, values), host, _waiting(torch, name))


def compiled(case: Case, device) -> Peer:
    """The batch by ``torch.compile``, anew for each case: after some it would give up, unasked."""
    torch, name, leaves, values, host = _batched(case, device)
    torch.compiler.reset()
    values = torch.compile(values, fullgraph=True, dynamic=False)
    return Peer(_by_autograd(torch, leaves, values), host, _waiting(torch, name))


def graph(case: Case, device, precision: str = "highest") -> Peer:
    """The batch as one CUDA graph."""
    torch, name, leaves, values, host = _batched(case, device)
    if name == "cpu":
        raise MissingError("a CUDA graph needs a CUDA device")
    torch.set_float32_matmul_precision(precision)
    step = _by_autograd(torch, leaves, values)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # libraries are loaded, and work space is taken
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        found = step()

    def replay():
        captured.replay()
        return found

    return Peer(replay, host, _waiting(torch, name))


def graph_tf32(case: Case, device) -> Peer:
    """The same with products in TF32, whose factors have 11 bits."""
    return graph(case, device, "high")


def jax_batch(case: Case, device) -> Peer:
    """jit of vmap of value_and_grad, without TF32."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # others need memory, too
    try:
        import jax
    except ModuleNotFoundError as error:
        raise MissingError("JAX is not installed: pip install 'jax[cuda13]'") from error
    jnp = jax.numpy
    try:
        where = jax.devices("cpu" if device is None else "cuda")
    except RuntimeError as error:
        raise MissingError(f"this JAX ({jax.__version__}) finds no CUDA device") from error
    where = where[0 if device is None else device.number]

    def value(layers, ux, uy, x_train, y_train, x_test, y_test):
        h, last = jnp.concatenate([x_train, x_test]), len(layers) - 2
        for k in range(0, len(layers), 2):
            h = jnp.matmul(h, layers[k].T, precision="highest") + layers[k + 1]
            h = h if k == last else jax.nn.relu(h)
        n = len(x_train)
        x = jnp.log(jnp.square(h[:n, 0] - y_train).mean())
        y = jnp.log(jnp.square(h[n:, 0] - y_test).mean())
        return ux * x + uy * y, (x, y)

    each = jax.vmap(jax.value_and_grad(value, has_aux=True), in_axes=(0, 0, 0, *4 * (None,)))
    fast = jax.jit(each)
    single = [part.astype(np.float32) for part in (*case.weights, *case.data)]
    given = jax.device_put((case.layers, *single), where)

    def step():
        (_, (x, y)), parts = fast(*given)
        return x, y, parts

    def host(found):
        x, y, parts = found
        gradient = np.concatenate([np.asarray(p).reshape(len(case.theta), -1) for p in parts], 1)
        return np.asarray(x), np.asarray(y), gradient

    return Peer(step, host, jax.block_until_ready)


PEERS = {
    "wlnn": own,
    "PyTorch eager, one by one": one_by_one,
    "PyTorch eager, one batch": one_batch,
    "PyTorch CUDA graph, one batch": graph,
    "PyTorch CUDA graph, one batch, TF32": graph_tf32,
    "torch.compile, one batch": compiled,
    "JAX, jit of vmap": jax_batch,
}
