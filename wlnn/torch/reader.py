"""What every layer of a traced module becomes, or why it cannot be turned.

A value of the graph is a place in the list of layers, together with how its numbers lie in PyTorch.
Nothing is evaluated here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from wlnn.base.errors import UserError
from wlnn.networks.layered import Sketch

PYTORCH = str(Path(torch.__file__).parent)
SUFFIXES = {"W": "weight", "b": "bias", "scale": "weight", "shift": "bias"}


class Traced(NamedTuple):
    """A value of the graph: its place in the list of layers, and how its numbers lie in PyTorch."""

    at: int
    form: str  # "rows" (N, K), "image" (N, C, H, W), "last" (N, H, W, C), "flat" (N, C H W)


class GraphReader:
    """Goes through a graph and writes every node down as a layer."""

    def __init__(self, graph: fx.GraphModule, example: torch.Tensor):
        self.graph, self.layers = graph, dict(graph.named_modules())
        self.sketch = Sketch(tuple(example.shape[1:]))
        self.form = "image" if example.ndim == 4 else "rows"
        self.found: dict[fx.Node, Traced] = {}
        self.used: set[str] = set()

    def sketch_of_all(self) -> Sketch:
        """The layers of the whole graph, with the tensors by their names in the module."""
        for node in self.graph.graph.nodes:
            if node.op == "placeholder":
                if self.found:
                    raise UserError("forward() takes several inputs; one is needed.")
                self.found[node] = Traced(0, self.form)
            elif node.op == "output":
                last = node.args[0]
                shape = self.sketch.layers[-1].shape
                if last not in self.found or len(shape) != 1 or len(self.sketch.layers) < 2:
                    raise UserError("forward() must return one tensor (N, K) of a layer.")
            elif node.op == "call_module" or "tensor_meta" in node.meta:  # else a size, or the like
                self.found[node] = self._placed(node)
        names = []
        for name in self.sketch.names:
            layer, _, tensor = name.rpartition(".")
            names.append(f"{layer}.{SUFFIXES[tensor]}")
        self.sketch.names = names
        return self.sketch

    def _placed(self, node: fx.Node) -> Traced:
        """The value of a node; what the list of layers refuses is told with the node's place."""
        try:
            if node.op == "call_module":
                return self._module(node, self.layers[node.target])
            return self._function(node)
        except UserError as error:
            if str(error).startswith(self._where(node)):
                raise
            raise self._no(node, str(error).rstrip(".")) from error

    def _no(self, node: fx.Node, why: str = "") -> UserError:
        """The refusal: what and where, and why."""
        return UserError(f"{self._where(node)}: {why or 'this cannot be turned'}.")

    def _where(self, node: fx.Node) -> str:
        """A node as its author knows it: a layer by name, an operation by its line."""
        if node.op == "call_module":
            return f"layer {node.target} ({type(self.layers[node.target]).__name__})"
        frames = re.findall(r'File "([^"]+)", line (\d+)', node.stack_trace or "")
        frames = [frame for frame in frames if not frame[0].startswith(PYTORCH)]
        line = f", line {frames[-1][1]} of {Path(frames[-1][0]).name}" if frames else ""
        name = node.target if isinstance(node.target, str) else node.target.__name__
        return f"operation {node.name} ({name}{line})"

    def _of(self, node: fx.Node, k: int = 0) -> Traced:
        """The k-th argument of a node, a value that is known."""
        argument = node.args[k] if len(node.args) > k else None
        if not isinstance(argument, fx.Node) or argument not in self.found:
            raise self._no(node, "it must read values of layers alone")
        return self.found[argument]

    def _image(self, node: fx.Node) -> Traced:
        value = self._of(node)
        if value.form != "image":
            raise self._no(node, "it must read images (N, channels, rows, columns)")
        return value

    # --- modules --------------------------------------------------------------------------------

    def _module(self, node: fx.Node, layer: nn.Module) -> Traced:
        if len(node.args) != 1 or node.kwargs:
            raise self._no(node, "it must be given one value, and nothing by name")
        if next(layer.parameters(), None) is not None:
            if node.target in self.used:
                raise self._no(node, "it is used twice, and shared weights cannot be turned")
            self.used.add(node.target)
        match layer:
            case nn.Linear():
                return self._linear(node, layer)
            case nn.Conv2d():
                return self._conv(node, layer)
            case nn.LayerNorm():
                return self._norm(node, layer)
            case nn.Identity() | nn.Dropout() | nn.Dropout1d() | nn.Dropout2d():
                return self._of(node)
            case nn.ReLU():
                return self._activation(node, "relu")
            case nn.Tanh():
                return self._activation(node, "tanh")
            case nn.SiLU():
                return self._activation(node, "silu")
            case nn.GELU():
                return self._activation(node, _gelu(layer.approximate))
            case nn.MaxPool2d():
                return self._pool(node, "max_pool", vars(layer))
            case nn.AvgPool2d():
                return self._pool(node, "average_pool", vars(layer))
            case nn.AdaptiveAvgPool2d():
                return self._to_size(node)
            case nn.Flatten():
                return self._reshaped(node)
            case nn.modules.batchnorm._BatchNorm():
                raise self._no(
                    node,
                    "its outputs depend on the rest of the batch, or on averages that are no "
                    "parameters; LayerNorm over the channels can be turned",
                )
            case nn.LogSoftmax() | nn.Softmax() | nn.Sigmoid():
                raise self._no(
                    node, "leave it out: the loss takes the logits (cross-entropy has it inside)"
                )
        raise self._no(node)

    def _linear(self, node, layer) -> Traced:
        value = self._of(node)
        if value.form not in ("rows", "flat"):
            raise self._no(node, "it must read rows (N, K); flatten the images first")
        at = self.sketch.dense(value.at, layer.out_features, node.target, layer.bias is not None)
        return Traced(at, "rows")

    def _conv(self, node, layer) -> Traced:
        value, size = self._image(node), layer.kernel_size
        stride, padding = layer.stride, layer.padding
        if padding == "valid":
            padding = (0, 0)
        if padding == "same":
            padding = tuple((k - 1) // 2 for k in size) if size[0] % 2 else (-1, 0)
        square = all(a == b for a, b in (size, stride, padding))
        if not square or layer.dilation != (1, 1) or layer.groups != 1:
            raise self._no(node, "kernels must be square, without dilation or groups")
        if layer.padding_mode != "zeros":
            raise self._no(node, "only zeros are padded")
        bias = layer.bias is not None
        at = self.sketch.conv(
            value.at, layer.out_channels, node.target, size[0], stride[0], bias, padding[0]
        )
        return Traced(at, "image")

    def _norm(self, node, layer) -> Traced:
        value = self._of(node)
        if value.form == "image" or not self._one_pixel(value):
            raise self._no(
                node,
                "it must go over the channels of every pixel: x.permute(0, 2, 3, 1), LayerNorm("
                "channels), x.permute(0, 3, 1, 2)",
            )
        if layer.eps != 1e-5 or layer.weight is None or layer.bias is None:
            raise self._no(node, "it must have eps = 1e-5, scales and shifts")
        if len(layer.normalized_shape) > 1:
            raise self._no(node, "it must go over the channels alone, and not over pixels")
        return value._replace(at=self.sketch.norm(value.at, node.target))

    def _one_pixel(self, value: Traced) -> bool:
        """Whether the last axis of a value has the channels of one pixel."""
        return value.form != "flat" or self.sketch.layers[value.at].shape[1:] == (1, 1)

    # --- what may be a module or a function -----------------------------------------------------

    def _activation(self, node, name: str) -> Traced:
        value = self._of(node)
        return value._replace(at=self.sketch.activation(value.at, name))

    def _pool(self, node, kind: str, of: Mapping) -> Traced:
        value = self._image(node)
        size, stride, padding, dilation = (
            _pair(of.get(name) if of.get(name) is not None else default)
            for name, default in (
                ("kernel_size", 0),
                ("stride", of.get("kernel_size")),
                ("padding", 0),
                ("dilation", 1),
            )
        )
        plain = padding == (0, 0) and dilation == (1, 1) and not of.get("ceil_mode")
        plain = plain and not of.get("return_indices") and of.get("divisor_override") is None
        if not plain or size != stride or size[0] != size[1]:
            raise self._no(node, "windows must be square, without overlap, padding or dilation")
        return value._replace(at=getattr(self.sketch, kind)(value.at, size[0]))

    def _to_size(self, node) -> Traced:
        """An average over squares that leaves an image of the size that the node has."""
        value = self._image(node)
        _, H, W = self.sketch.layers[value.at].shape
        shape = node.meta["tensor_meta"].shape
        rows, columns = shape[2:] if len(shape) == 4 else (1, 1)
        window = H // rows
        if H != W or rows != columns or window * rows != H:
            raise self._no(node, "images must be square, and a whole multiple of what is left")
        form = "image" if len(shape) == 4 else "flat"
        return Traced(self.sketch.average_pool(value.at, window), form)

    def _reshaped(self, node) -> Traced:
        value, shape = self._of(node), tuple(node.meta["tensor_meta"].shape)
        if shape == tuple(node.args[0].meta["tensor_meta"].shape):
            return value
        whole = self.sketch.layers[value.at].shape
        pixels = int(np.prod(whole[1:]))
        if len(shape) != 2 or shape[1] != whole[0] * pixels or value.form not in ("image", "last"):
            raise self._no(node, "only images can be made flat, to rows (N, channels x pixels)")
        if value.form == "last" and pixels > 1:
            raise self._no(node, "bring the channels before the pixels first")
        return Traced(value.at, "flat")

    # --- functions ------------------------------------------------------------------------------

    def _function(self, node: fx.Node) -> Traced:
        if node.op == "get_attr":
            raise self._no(node, "a parameter outside of a layer cannot be turned")
        name = node.target if isinstance(node.target, str) else node.target.__name__
        known = FUNCTIONS.get(node.target if callable(node.target) else name)
        if known is None:
            raise self._no(node)
        return known(self, node)

    def _sum(self, node) -> Traced:
        one, other = self._of(node, 0), self._of(node, 1)
        if one.form != other.form or node.kwargs.get("alpha", 1) != 1:
            raise self._no(node, "both terms must lie alike, without factors")
        return one._replace(at=self.sketch.add(one.at, other.at))

    def _permuted(self, node) -> Traced:
        value = self._of(node)
        axes = node.args[1:] if len(node.args) > 2 else node.args[1]
        moves = {("image", (0, 2, 3, 1)): "last", ("last", (0, 3, 1, 2)): "image"}
        form = moves.get((value.form, tuple(axis % 4 for axis in axes)))
        if form is None:
            raise self._no(node, "only channels can be brought behind the pixels, and back")
        return value._replace(form=form)

    def _mean(self, node) -> Traced:
        axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", ())
        if not isinstance(axes, list | tuple) or sorted(k % 4 for k in axes) != [2, 3]:
            raise self._no(node, "only means over all pixels, axes 2 and 3, can be turned")
        return self._to_size(node)

    def _dropped(self, node) -> Traced:
        if node.kwargs.get("training", node.args[2] if len(node.args) > 2 else True):
            raise self._no(node, "write training=self.training")
        return self._of(node)


def _gelu(form: str) -> str:
    return "gelu" if form == "none" else "gelu-tanh"


def _pair(value) -> tuple[int, int]:
    return tuple(value) if isinstance(value, list | tuple) else (value, value)


def _pool_of(kind: str):
    names = ("kernel_size", "stride", "padding")

    def pool(reader, node):
        given = dict(zip(names, node.args[1:], strict=False)) | dict(node.kwargs)
        return reader._pool(node, kind, given)

    return pool


def _activation_of(name: str):
    return lambda reader, node: reader._activation(node, name)


FUNCTIONS = {
    **dict.fromkeys(
        (functional.relu, torch.relu, torch.relu_, "relu", "relu_"), _activation_of("relu")
    ),
    **dict.fromkeys((functional.tanh, torch.tanh, "tanh", "tanh_"), _activation_of("tanh")),
    functional.silu: _activation_of("silu"),
    functional.gelu: lambda reader, node: reader._activation(
        node, _gelu(node.kwargs.get("approximate", "none"))
    ),
    **dict.fromkeys((functional.max_pool2d, torch.max_pool2d), _pool_of("max_pool")),
    functional.avg_pool2d: _pool_of("average_pool"),
    functional.adaptive_avg_pool2d: GraphReader._to_size,
    **dict.fromkeys(
        (torch.flatten, torch.reshape, torch.squeeze, "flatten", "view", "reshape", "squeeze"),
        GraphReader._reshaped,
    ),
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add", "add_"), GraphReader._sum),
    **dict.fromkeys((torch.permute, "permute"), GraphReader._permuted),
    **dict.fromkeys((torch.mean, "mean"), GraphReader._mean),
    functional.dropout: GraphReader._dropped,
    "contiguous": GraphReader._of,
}
