"""Ten networks as the tutorials of PyTorch write them, small, with inputs that suit them."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class LeNet(nn.Module):
    """Convolutions without padding, pools as functions, view: "Training a classifier"."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.fc1 = nn.Linear(6 * 2 * 2, 12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        return self.fc2(F.relu(self.fc1(x)))


class MnistExample(nn.Module):
    """Two convolutions, one pool, dropout, as in the MNIST example; logits for outputs."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 3, 3, 1), nn.Conv2d(3, 4, 3, 1)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(4 * 5 * 5, 8), nn.Linear(8, 10)

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = self.dropout1(F.max_pool2d(x, 2))
        x = self.dropout2(F.relu(self.fc1(x.view(x.size(0), -1))))
        return self.fc2(x)


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of every pixel."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A residual block with a projection where its shape changes."""

    def __init__(self, below, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(below, channels, 3, stride, 1, bias=False)
        self.norm1, self.norm2 = ChannelNorm(channels), ChannelNorm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.relu = nn.ReLU()
        changed = stride > 1 or below != channels
        self.shortcut = nn.Conv2d(below, channels, 1, stride) if changed else nn.Identity()

    def forward(self, x):
        out = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.relu(out)


class ResNet(nn.Module):
    """A small residual network, averaged over all pixels."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.Sequential(Block(4, 4, 1), Block(4, 6, 2))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(6, 3)

    def forward(self, x):
        x = self.blocks(F.relu(self.stem(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class PreNormMlp(nn.Module):
    """The feed-forward part of a transformer: norm, GELU, and a residual sum."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Linear(5, 6), nn.LayerNorm(6)
        self.up, self.down = nn.Linear(6, 12), nn.Linear(12, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = self.embed(x)
        x = x + self.down(F.gelu(self.up(self.norm(x))))
        return self.head(x)


class Silus(nn.Module):
    """A regression network with functions, its first layer without bias."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 9, bias=False), nn.Linear(9, 7), nn.Linear(7, 1)

    def forward(self, x):
        return self.c(F.silu(self.b(torch.tanh(self.a(x)))))


class MeanPooled(nn.Module):
    """Strides in the place of pools, and the mean over all pixels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(4, 5, 4, stride=2, padding=1)
        self.out = nn.Linear(5, 10)

    def forward(self, x):
        x = F.gelu(self.conv2(F.gelu(self.conv1(x), approximate="tanh")))
        return self.out(x.mean((2, 3)))


def mlp_gelu():
    return nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 3))


def quickstart():
    """Flatten, then dense layers, as in "Quickstart"."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 10), nn.ReLU(), nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 10),
    )  # fmt: skip


def autoencoder():
    """Narrow in the middle, with tanh, a linear code and one output."""
    return nn.Sequential(
        nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2), nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)
    )


NETWORKS = {  # what makes it, the shape of its inputs, whether it is an FNN
    "MLP with GELU": (mlp_gelu, (5,), True),
    "quickstart": (quickstart, (1, 8, 8), False),
    "LeNet": (LeNet, (1, 18, 18), False),
    "MNIST example": (MnistExample, (1, 14, 14), False),
    "ResNet with LayerNorm": (ResNet, (3, 8, 8), False),
    "autoencoder": (autoencoder, (6,), True),
    "feed-forward part of a transformer": (PreNormMlp, (5,), False),
    "SiLU regression": (Silus, (4,), False),
    "strides and a mean": (MeanPooled, (1, 12, 12), False),
    "two outputs, no hidden layer": (lambda: nn.Sequential(nn.Linear(3, 2)), (3,), True),
}


def made(name):
    """A network with its first parameters, and inputs ``(13, ...)``, from fixed seeds."""
    torch.manual_seed(0)
    make, shape, _ = NETWORKS[name]
    return make().double(), torch.randn(13, *shape, dtype=torch.float64)
