"""Golden arrays of image networks: values and gradients that PyTorch computes from its own layers.

Run once, with PyTorch, which the tests do not need:

    python tests/golden/make.py

Everything is computed in float64 from fixed seeds and stored rounded to float32, in one file; GELU,
in a file of its own, in float64. The networks are written with PyTorch's modules, not with this
package.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

PATH = Path(__file__).with_name("images.npz")


class ChannelNorm(nn.Module):
    """PyTorch's layer normalisation over the channels of every pixel."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-5)

    def forward(self, h):
        return self.norm(h.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Two convolutions with norms, and the shortcut."""

    def __init__(self, below, channels, stride):
        super().__init__()
        self.conv0 = nn.Conv2d(below, channels, 3, stride, 1, bias=False)
        self.norm0 = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm1 = ChannelNorm(channels)
        changed = stride != 1 or below != channels
        self.short = nn.Conv2d(below, channels, 1, stride, bias=False) if changed else None

    def forward(self, h):
        inner = functional.relu(self.norm0(self.conv0(h)))
        inner = self.norm1(self.conv1(inner))
        return functional.relu(inner + (h if self.short is None else self.short(h)))


def resnet(channels, inputs, pixels):
    """The residual network of ten weight layers for four entries of ``channels``."""
    layers = [nn.Conv2d(inputs, channels[0], 3, 1, 1, bias=False), nn.ReLU()]
    below = channels[0]
    for k, width in enumerate(channels):
        layers.append(Block(below, width, 1 if k == 0 else 2))
        below = width
    layers += [nn.AvgPool2d(pixels // 8), nn.Flatten(), nn.Linear(below, 2)]
    return nn.Sequential(*layers)


def cnn(c, inputs=1):
    """Five convolutions, pools after the first, third and fifth."""
    layers = []
    for k in range(5):
        layers += [nn.Conv2d(inputs if k == 0 else c, c, 3, padding=1), nn.ReLU()]
        if k % 2 == 0:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(9 * c, 10))


def network(make, x, labels, scale, generator):
    """Parameters, logits and the gradient of the mean cross-entropy, as flat arrays."""
    model = make().double()
    with torch.no_grad():
        for p in model.parameters():
            usual = 1.0 if p.ndim == 1 else 0.0  # scales of norms, and biases away from 0
            p.copy_(usual * 0.7 + scale * (torch.rand(p.shape, generator=generator) - 0.5))
    rounded = [p.detach().float().numpy().ravel() for p in model.parameters()]
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.float().double())
    logits = model(torch.tensor(x, dtype=torch.float64))
    functional.cross_entropy(logits, torch.tensor(labels)).backward()
    gradient = [p.grad.numpy().ravel() for p in model.parameters()]
    return {
        "theta": np.concatenate(rounded),
        "logits": logits.detach().numpy().astype(np.float32),
        "gradient": np.concatenate(gradient).astype(np.float32),
    }


def layer(function, **tensors):
    """Value of a layer, and the gradients of ``sum(weight value)`` by every tensor."""
    inputs = {key: torch.tensor(array, dtype=torch.float64) for key, array in tensors.items()}
    for tensor in inputs.values():
        tensor.requires_grad_()
    value = function(**inputs)
    weight = torch.linspace(-1, 1, value.numel(), dtype=torch.float64).reshape(value.shape)
    (weight * value).sum().backward()
    return {
        **tensors,
        "value": value.detach().numpy().astype(np.float32),
        **{f"d{key}": tensor.grad.numpy().astype(np.float32) for key, tensor in inputs.items()},
    }


def activations() -> None:
    """Write values and slopes of both forms of GELU."""
    z = np.linspace(-9, 9, 73)
    arrays = {"z": z}
    for name, form in (("gelu", "none"), ("gelu-tanh", "tanh")):
        inputs = torch.tensor(z, requires_grad=True)
        value = functional.gelu(inputs, approximate=form)
        value.sum().backward()
        arrays[f"{name}.value"] = value.detach().numpy()
        arrays[f"{name}.slope"] = inputs.grad.numpy()
    np.savez_compressed(PATH.with_name("activations.npz"), **arrays)


def main() -> None:
    """Write the files."""
    activations()
    rng = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    cases = {
        "conv": layer(
            lambda h, W, b: functional.conv2d(h, W, b, padding=1),
            h=normal(2, 3, 7, 6), W=normal(4, 3, 3, 3), b=normal(4),
        ),
        "conv_stride": layer(
            lambda h, W: functional.conv2d(h, W, stride=2, padding=1),
            h=normal(2, 3, 8, 8), W=normal(5, 3, 3, 3),
        ),
        "conv_1x1": layer(
            lambda h, W: functional.conv2d(h, W, stride=2), h=normal(2, 3, 8, 8),
            W=normal(5, 3, 1, 1),
        ),
        "max_pool": layer(lambda h: functional.max_pool2d(h, 2), h=normal(2, 3, 7, 6)),
        "average_pool": layer(lambda h: functional.avg_pool2d(h, 4), h=normal(2, 3, 8, 8)),
        "norm": layer(
            lambda h, scale, shift: functional.layer_norm(
                h.permute(0, 2, 3, 1), h.shape[1:2], scale, shift, 1e-5
            ).permute(0, 3, 1, 2),
            h=normal(2, 5, 3, 4), scale=normal(5), shift=normal(5),
        ),
    }  # fmt: skip
    digits = rng.integers(0, 256, (6, 1, 28, 28)).astype(np.uint8)
    labels = rng.integers(0, 10, 6)
    for c in (2, 3):
        made = network(lambda c=c: cnn(c), digits / 255, labels, 1.0, generator)
        cases[f"cnn{c}"] = {"x": digits, "labels": labels, **made}
    photographs = rng.integers(0, 256, (3, 3, 16, 16)).astype(np.uint8)
    labels = rng.integers(0, 2, 3)
    made = network(lambda: resnet((4, 6, 8, 12), 3, 16), photographs / 255, labels, 1.0, generator)
    cases["resnet"] = {"x": photographs, "labels": labels, **made}
    arrays = {f"{case}.{key}": value for case, made in cases.items() for key, value in made.items()}
    np.savez_compressed(PATH, **arrays)
    print(f"{PATH.name}: {PATH.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
