"""A module of PyTorch turned into a network of this package: traced, read, and compared with it.

What each layer becomes is in ``reader.py``.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from wlnn.base.errors import UserError
from wlnn.networks.fnn import FNN
from wlnn.networks.layered import ListedNetwork, Sketch
from wlnn.networks.layers import ACTIVATIONS
from wlnn.torch.reader import GraphReader
from wlnn.torch.weights import theta_from_state_dict

DRAWS = 8  # of inputs like the example, on which outputs are compared
NEAR = 1e-9  # outputs in double precision, relative to the largest


def from_torch(module: nn.Module, example_input) -> FNN | ListedNetwork:
    """The network of this package that has the outputs and gradients of ``module.eval()``.

    It is an ``FNN`` where the module is a chain of dense layers, else a ``ListedNetwork``; the
    tensors keep the names that they have in the module's ``state_dict``.

    Turned are Linear, Conv2d, ReLU, Tanh, SiLU, GELU, MaxPool2d, AvgPool2d and AdaptiveAvgPool2d,
    LayerNorm over rows of numbers or the channels of every pixel (channels last), Flatten, sums of
    two values, Identity and Dropout (which is none in ``eval``), as modules or functions. All
    parameters are the network's, frozen ones too; their values are not kept.

    Args:
        module: one input, one output ``(N, K)``; it is not changed.
        example_input: rows ``(N, d)`` or images ``(N, C, H, W)`` of the right shape, any numbers.

    Raises:
        UserError: what cannot be turned, by layer and place; a graph that depends on its data; no
            module, or no example of its inputs.
    """
    if not isinstance(module, nn.Module):
        raise UserError(
            f"a module of PyTorch is needed, not {_kind(module)}: give one such as "
            "nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 2))."
        )
    if fx.Tracer().is_leaf_module(module, ""):
        raise UserError(
            f"{type(module).__name__}: is a single layer of PyTorch; give it within a chain, as in "
            f"nn.Sequential({type(module).__name__}(...))."
        )
    module, example = _double(module), _example(example_input)
    own = list(module.named_parameters(remove_duplicate=False))
    if len({id(tensor) for _, tensor in own}) < len(own):
        raise UserError("two layers of the module share a tensor: tied weights cannot be turned.")
    with torch.no_grad():
        graph = _traced(module, example)
        sketch = GraphReader(graph, example).sketch_of_all()
        if not own:
            raise UserError(f"{type(module).__name__}: has no parameters, and so no networks.")
        network = _fnn(sketch) or ListedNetwork(tuple(sketch.layers), sketch.layout)
        _check(network, module, example, {name for name, _ in own})
    return network


def _kind(thing) -> str:
    """What somebody gave, in words."""
    if isinstance(thing, type):
        return f"the class {thing.__name__} itself"
    return f"a {type(thing).__name__}"


def _double(module: nn.Module) -> nn.Module:
    """A copy in double precision, in ``eval``; its parameters have no numbers in common with it."""
    for name, tensor in module.named_parameters():
        if tensor.is_meta or nn.parameter.is_lazy(tensor):
            raise UserError(
                f"parameter '{name}': has no numbers yet (a lazy layer, or device 'meta'); run the "
                "module once on an example first."
            )
        if tensor.is_complex():
            raise UserError(f"parameter '{name}': is complex, and networks here are real.")
    return copy.deepcopy(module).double().eval().cpu()


def _example(given) -> torch.Tensor:
    """An example of inputs ``(N, d)`` or ``(N, C, H, W)`` in double precision."""
    wanted = "example_input: give rows (N, d) or images (N, channels, rows, columns)"
    try:
        example = given if isinstance(given, torch.Tensor) else torch.as_tensor(np.asarray(given))
        real = not example.is_complex()
        example = example.detach().cpu().to(torch.float64) if real else None
    except (TypeError, ValueError, RuntimeError) as error:
        told = f"{_kind(given)} ({_first_line(error)})"
        raise UserError(f"{wanted} of numbers, not {told}.") from error
    if example is None:
        raise UserError(f"{wanted} of real numbers, not complex ones.")
    if example.ndim not in (2, 4) or not example.numel():
        raise UserError(f"{wanted}, not an array of shape {tuple(example.shape)}.")
    return example


def _traced(module: nn.Module, example: torch.Tensor) -> fx.GraphModule:
    try:
        module(example)
    except Exception as error:
        raise UserError(
            f"{type(module).__name__}: forward() fails for inputs of shape "
            f"{tuple(example.shape)}: {_first_line(error)}."
        ) from error
    tracer = fx.Tracer()
    tracer.record_stack_traces = True
    try:
        graph = tracer.trace(module)
    except Exception as error:
        raise UserError(
            f"{type(module).__name__}: forward() cannot be traced ({_first_line(error)}): branches "
            "and loops that depend on the data have no graph."
        ) from error
    traced = fx.GraphModule(module, graph)
    traced.graph.eliminate_dead_code()
    ShapeProp(traced).propagate(example)
    return traced


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".:")


def _check(network, module: nn.Module, example: torch.Tensor, own: set[str]) -> None:
    """The turned network against the module itself, in double precision.

    Parameters are drawn anew: the module's own may be zero, where every network is right, or NaN.
    """
    unused = sorted(own - set(network.layout.names))
    if unused:
        raise UserError(f"parameters that forward() does not use: {', '.join(unused)}.")
    noise, off = torch.Generator().manual_seed(0), 0.0
    for tensor in module.parameters():
        scale = max(1, tensor[0].numel()) ** -0.5 if tensor.ndim else 1.0
        tensor.copy_(scale * torch.randn(tensor.shape, generator=noise, dtype=torch.float64))
    theta = theta_from_state_dict(network, module.state_dict())
    for _ in range(DRAWS):
        x = torch.randn(example.shape, generator=noise, dtype=torch.float64)
        expected = module(x).numpy()
        found = network.forward(np, theta[None], x.numpy())[0][0]
        off = max(off, float(np.abs(found - expected).max() / max(1, np.abs(expected).max())))
    if not off < NEAR:
        raise UserError(
            f"{type(module).__name__}: the turned network has other outputs, by {off:.1e}; does "
            "forward() change values in place that are read again, or draw random numbers?"
        )


def _fnn(sketch: Sketch) -> FNN | None:
    """The list of layers as a fully connected network, if it is one."""
    sizes, activations = list(sketch.layers[0].shape), []
    for place, layer in enumerate(sketch.layers[1:], 1):
        if len(sketch.layers[0].shape) > 1 or layer.reads != (place - 1,):
            return None
        if layer.kind == "dense" and len(layer.tensors) == 2:
            sizes.append(layer.shape[0])
            activations.append("identity")
        elif layer.kind in ACTIVATIONS and sketch.layers[place - 1].kind == "dense":
            activations[-1] = layer.kind
        else:
            return None
    if sketch.layers[-1].kind != "dense":
        return None
    return FNN(tuple(sizes), tuple(activations[:-1]), tuple(sketch.names))
