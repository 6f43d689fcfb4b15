"""Small PyTorch models and a step of training, for the tests of the pruner."""

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["Residual", "inputs", "plain", "train"]


class Residual(nn.Module):
    """Functional forms, an addition, a stride, pools, a flattened feature map."""

    def __init__(self, channels=16, classes=10):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 3, 2, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(2 * channels)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(2 * channels)
        self.short = nn.Conv2d(channels, 2 * channels, 1, 2)
        self.last = nn.Linear(2 * channels * 16, classes)

    def forward(self, x):
        x = F.relu(self.norm(self.first(x)))
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        x = torch.relu(y + self.short(x))
        x = F.max_pool2d(x, 2)
        return self.last(x.view(x.size(0), -1))


def plain(channels=32, classes=10):
    """A chain of modules, one of them depthwise."""
    return nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, channels, 3, 2), nn.ReLU6(),
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels), nn.ReLU(), nn.Dropout(0.1),
        nn.Conv2d(channels, 2 * channels, 1), nn.BatchNorm2d(2 * channels), nn.Hardtanh(),
        nn.AvgPool2d(2), nn.Conv2d(2 * channels, channels, 1), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(channels, classes))


def inputs(count=16, seed=0, size=16):
    """(inputs, labels) that can be told apart a little."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, (count,), generator=rng)
    data = torch.randn((count, 3, size, size), generator=rng)
    return data + labels.reshape(-1, 1, 1, 1) / 5, labels


def train(model, pruner, steps, optimizer=None, seed=0):
    """So many steps; the optimizer, for more of them."""
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
    model.train()
    for step in range(steps):
        data, labels = inputs(seed=seed + step)
        F.cross_entropy(model(data), labels).backward()
        optimizer.step()
        pruner.step()
        optimizer.zero_grad()
    return optimizer
